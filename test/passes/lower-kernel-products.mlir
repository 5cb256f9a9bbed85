// RUN: tower-opt %s --tower-lower=gpu --canonicalize --cse --tower-form-kernels --tower-lower-kernel-products --canonicalize --cse --split-input-file | FileCheck %s

// 130 x 70 is 3 x 2 tiles. Rows of 33 and of 70 elements do not begin at multiples of 16 bytes: elements are copied one by
// one, those behind an edge as zeros; the next 16 while these are multiplied, in three products of tf32 parts. Of four
// columns at once that a lane has the last two are behind the edge in some lanes.
// CHECK-LABEL: gpu.func @train_step_linear_0
// CHECK-SAME: workgroup(%[[SHARED:.*]] : memref<10240xf32, #gpu.address_space<workgroup>> {llvm.align = 16 : i64}) kernel
// CHECK: scf.for %{{.*}} = %{{.*}} to %c6 step
// CHECK-COUNT-8: nvgpu.device_async_copy {{.*}}, %[[SHARED]]{{.*}}, 1, %{{.*}} :
// CHECK: nvvm.cp.async.commit.group
// CHECK: scf.for %{{.*}} = %c0 to %c33 step %c16
// CHECK: nvvm.cp.async.wait.group 0
// CHECK-NEXT: gpu.barrier
// CHECK: scf.if
// CHECK-COUNT-8: nvgpu.device_async_copy
// CHECK: nvvm.cp.async.commit.group
// CHECK: scf.if
// CHECK: vector.load %[[SHARED]]{{.*}} {alignment = 8 : i64}
// CHECK-COUNT-24: nvvm.mma.sync {{.*}}tf32{{.*}}m = 16, n = 8, k = 8
// CHECK-NOT: nvvm.mma.sync
// CHECK: scf.yield
// CHECK: nvvm.cp.async.wait.group 0
// CHECK-NEXT: gpu.barrier
// CHECK: arith.addf {{.*}} : vector<4xf32>
// CHECK: arith.cmpf olt
// CHECK: vector.store {{.*}} {alignment = 4 : i64}
// CHECK: } else {
// CHECK-COUNT-4: memref.store
// CHECK-NOT: linalg
// CHECK-LABEL: func.func @train_step
// CHECK: gpu.launch_func {{.*}} blocks in (%c6, %c1, %c1) threads in (%c32, %c8, %c1)
func.func @train_step(%x: tensor<130x33xf32>, %w: tensor<33x70xf32>, %b: tensor<70xf32>)
    -> (tensor<130x70xf32> {tower.result = "y"}) {
  %y = tower.linear %x, %w bias(%b) relu : (tensor<130x33xf32>, tensor<33x70xf32>, tensor<70xf32>) -> tensor<130x70xf32>
  return %y : tensor<130x70xf32>
}

// -----

// Rows of 64 elements: four at a time. A step of bf16 is as deep as what is in shared memory, and factors are rounded.
// CHECK-LABEL: gpu.func @train_step_linear_0
// CHECK-COUNT-2: nvgpu.device_async_copy {{.*}}, 4, %{{.*}} {bypassL1}
// CHECK: nvvm.convert.f32x2.to.bf16x2
// CHECK-COUNT-4: nvvm.mma.sync {{.*}}bf16{{.*}}m = 16, n = 8, k = 16
// CHECK-NOT: nvvm.mma.sync
// CHECK: vector.store {{.*}} {alignment = 16 : i64}
// CHECK-LABEL: func.func @train_step
module attributes {tower.bf16} {
func.func @train_step(%x: tensor<64x64xf32>, %w: tensor<64x64xf32>, %b: tensor<64xf32>)
    -> (tensor<64x64xf32> {tower.result = "y"}) {
  %y = tower.linear %x, %w bias(%b) : (tensor<64x64xf32>, tensor<64x64xf32>, tensor<64xf32>) -> tensor<64x64xf32>
  return %y : tensor<64x64xf32>
}
}

// -----

// 64 x 4 tiles of 128 x 64 are enough for all multiprocessors, 64 x 2 of 128 x 128 as well: two warps above each other
// have 64 rows each, four side by side 32 columns, which is 4 x 4 products of three parts, twice.
// CHECK-LABEL: gpu.func @train_step_linear_0
// CHECK-COUNT-96: nvvm.mma.sync
// CHECK-NOT: nvvm.mma.sync
// CHECK-LABEL: func.func @train_step
// CHECK: gpu.launch_func {{.*}} blocks in (%c128, %c1, %c1)
func.func @train_step(%x: tensor<8192x64xf32>, %w: tensor<64x256xf32>, %b: tensor<256xf32>)
    -> (tensor<8192x256xf32> {tower.result = "y"}) {
  %y = tower.linear %x, %w bias(%b) : (tensor<8192x64xf32>, tensor<64x256xf32>, tensor<256xf32>) -> tensor<8192x256xf32>
  return %y : tensor<8192x256xf32>
}

// -----

// Products amid a warp's other work are summed by its lanes: no shared memory, no tensor cores.
// CHECK-LABEL: gpu.func @score_top_k
// CHECK-NOT: workgroup
// CHECK-NOT: nvvm.mma.sync
// CHECK: math.fma
// CHECK-NOT: gpu.barrier
// CHECK-LABEL: func.func @score
func.func @score(%q: tensor<?x8xf32>, %c: tensor<?x8xf32>, %o: tensor<?xi64>, %r: tensor<?xi32>)
    -> (tensor<?x?xf32> {tower.result = "scores"}, tensor<?x?xi32> {tower.result = "rows"}) {
  %s, %rows = tower.top_k %q, %c exclude(%o, %r)
      : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?xi64>, tensor<?xi32>) -> (tensor<?x?xf32>, tensor<?x?xi32>)
  return %s, %rows : tensor<?x?xf32>, tensor<?x?xi32>
}
