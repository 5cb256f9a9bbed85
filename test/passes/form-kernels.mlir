// RUN: tower-opt %s --tower-lower=gpu --canonicalize --cse --tower-form-kernels --canonicalize --cse --split-input-file | FileCheck %s

// A row is a warp, columns are its lanes. What depends on the mask is asked in the kernel: the host launches both sides.
// CHECK-LABEL: gpu.func @train_step_lookup_0
// CHECK-SAME: (%[[MASK:.*]]: memref<2xi8>, %[[X:.*]]: memref<8x4xf32>) kernel
// CHECK: %[[MASKED:.*]] = arith.cmpi ne
// CHECK: scf.if %[[MASKED]]
// CHECK: vector.store %cst
// CHECK-LABEL: gpu.func @train_step_lookup_1
// CHECK-SAME: (%[[MASK:[a-z0-9]*]]: memref<2xi8>, %[[ROWS:[a-z0-9]*]]: memref<8xi32>, %[[IDS:[a-z0-9]*]]: memref<?xi32>, %[[TABLE:[a-z0-9]*]]: memref<9x4xf32>, %[[X:.*]]: memref<8x4xf32>) kernel
// CHECK: %[[VISIBLE:.*]] = arith.cmpi eq
// CHECK: scf.if %[[VISIBLE]]
// CHECK: %[[BLOCK:.*]] = gpu.block_id x
// CHECK: %[[WARP:.*]] = gpu.thread_id y
// CHECK: %[[BEFORE:.*]] = arith.muli %[[BLOCK]], %c4
// CHECK: %[[FIRST:.*]] = arith.addi %[[BEFORE]], %[[WARP]]
// CHECK: scf.for %[[ROW:.*]] = %[[FIRST]] to %c8
// CHECK: memref.load %[[ROWS]][%[[ROW]]]
// CHECK: memref.load %[[IDS]]
// CHECK: %[[LANE:.*]] = gpu.thread_id x
// CHECK: scf.for %[[COLUMN:.*]] = %[[LANE]] to %c4 step %c32
// CHECK: vector.load %[[TABLE]]
// CHECK: vector.store {{.*}}, %[[X]][%[[ROW]], %[[COLUMN]]]
// CHECK: nvvm.bar.warp.sync
// CHECK-LABEL: func.func @train_step
// CHECK: gpu.launch_func @train_step_kernels::@train_step_lookup_0 blocks in (%c1, %c1, %c1) threads in (%c32, %c1, %c1)
// CHECK: gpu.launch_func @train_step_kernels::@train_step_lookup_1 blocks in (%c2, %c1, %c1) threads in (%c32, %c4, %c1)
func.func @train_step(%table: tensor<9x4xf32>, %ids: tensor<?xi32>, %rows: tensor<8xi32>, %mask: tensor<2xi1>)
    -> (tensor<8x4xf32> {tower.result = "x"}) {
  %x = tower.lookup %table, %ids[%rows] unless(%mask) feature(1)
      : (tensor<9x4xf32>, tensor<?xi32>, tensor<8xi32>, tensor<2xi1>) -> tensor<8x4xf32>
  return %x : tensor<8x4xf32>
}

// -----

// The host draws the mask in its own memory and copies it; step and seed are the host's, and not copied: no kernel asks.
// CHECK-LABEL: func.func @train_step
// CHECK-SAME: %[[STEP:[a-z0-9]*]]: memref<i64> {{{.*}}"step"}}, %[[SEED:[a-z0-9]*]]: memref<i64>
// CHECK: %[[MASK:.*]] = memref.alloc() {{.*}} : memref<9xi8>
// CHECK-DAG: memref.load %[[STEP]]
// CHECK-DAG: memref.load %[[SEED]]
// CHECK: %[[HOST:.*]] = memref.alloca() {{.*}} : memref<9xi8>
// CHECK: memref.extract_aligned_pointer_as_index %[[HOST]]
// CHECK: call @tower_rt_feature_mask
// CHECK: gpu.memcpy %[[MASK]], %[[HOST]]
// CHECK: gpu.launch_func
func.func @train_step(%step: tensor<i64> {tower.argument = {kind = "step"}},
                      %seed: tensor<i64> {tower.argument = {kind = "seed"}}) -> (tensor<9xi1> {tower.result = "m"}) {
  %mask = tower.feature_mask %step, %seed count(4) stream("ssl/mask") : tensor<9xi1>
  %other = tower.complement %mask : tensor<9xi1>
  return %other : tensor<9xi1>
}

// -----

// All warps look for distinct rows at once: each claims a slot of a hash table for its row, and the first one to have it
// counts. How many are distinct comes to the next kernel through memory; it is launched for as many as there may be.
// CHECK: gpu.func
// CHECK: memref.generic_atomic_rmw
// CHECK: memref.atomic_rmw mins
// CHECK: gpu.func
// CHECK: gpu.shuffle up
// CHECK: memref.store %{{.*}}, %{{.*}}[] : memref<i32>
// CHECK: gpu.func
// CHECK: memref.atomic_rmw addi
// CHECK: gpu.func @train_step_take
// CHECK: memref.load %{{.*}}[] : memref<i32>
// CHECK-LABEL: func.func @train_step
// CHECK: %[[COUNT:.*]] = memref.alloc() {{.*}} : memref<i32>
// CHECK: gpu.launch_func {{.*}}@train_step_take{{.*}} blocks in (%c8, %c1, %c1)
// CHECK-SAME: %[[COUNT]]
func.func @train_step(%rows: tensor<1024xi32>, %column: tensor<?xi32>) -> (tensor<?xi32, #tower.bound<1024>> {tower.result = "x"}) {
  %distinct, %inverse, %counts = tower.distinct %rows : tensor<1024xi32> -> tensor<?xi32, #tower.bound<1024>>
  %x = tower.take %column[%distinct] : (tensor<?xi32>, tensor<?xi32, #tower.bound<1024>>) -> tensor<?xi32, #tower.bound<1024>>
  return %x : tensor<?xi32, #tower.bound<1024>>
}

// -----

// A sum over lanes: each adds its own, then they exchange. The value that all have is never made again elsewhere.
// CHECK-LABEL: gpu.func @train_step_normalize
// CHECK: scf.for %{{.*}} = %{{.*}} to %c40 step %c32 iter_args
// CHECK: gpu.shuffle xor
// CHECK-COUNT-4: gpu.shuffle xor
// CHECK: math.sqrt
// CHECK: scf.for %{{.*}} = %{{.*}} to %c40 step %c32
// CHECK: vector.store
func.func @train_step(%x: tensor<64x40xf32>) -> (tensor<64x40xf32> {tower.result = "y"}) {
  %y = tower.normalize %x : tensor<64x40xf32>
  return %y : tensor<64x40xf32>
}

// -----

// A value that one kernel makes and another one needs goes through memory.
// CHECK-LABEL: gpu.func @train_step_sequence_0
// CHECK: %[[FOUND:.*]] = scf.for
// CHECK: %[[WORD:.*]] = arith.index_cast %[[FOUND]] : index to i64
// CHECK: memref.store %[[WORD]], %{{.*}}[] : memref<i64>
// CHECK-LABEL: gpu.func @train_step_sequence_1
// CHECK: %[[WORD:.*]] = memref.load %{{.*}}[] : memref<i64>
// CHECK: %[[END:.*]] = arith.index_cast %[[WORD]] : i64 to index
// CHECK: scf.for %{{.*}} = %{{.*}} to %[[END]]
// CHECK-LABEL: func.func @train_step
// CHECK: %[[PLACE:.*]] = memref.alloc() {{.*}} : memref<i64>
// CHECK: gpu.launch_func {{.*}}@train_step_sequence_0
// CHECK-SAME: %[[PLACE]]
// CHECK: gpu.launch_func {{.*}}@train_step_sequence_1
// CHECK-SAME: %[[PLACE]]
func.func @train_step(%sizes: memref<8xi32>, %y: memref<64xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %zero = arith.constant 0.0 : f32
  %end = scf.for %i = %c0 to %c8 step %c1 iter_args(%sum = %c0) -> (index) {
    %size = memref.load %sizes[%i] : memref<8xi32>
    %more = arith.index_cast %size : i32 to index
    %next = arith.addi %sum, %more : index
    scf.yield %next : index
  }
  scf.parallel (%i) = (%c0) to (%end) step (%c1) {
    memref.store %zero, %y[%i] : memref<64xf32>
  }
  return
}
