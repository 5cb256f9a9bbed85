// RUN: tower-opt %s --tower-lower --canonicalize --split-input-file | FileCheck %s

// A result is memory that the caller gives; vectors run along all elements, what is left comes last.
// CHECK-LABEL: @activate
// CHECK-SAME: (%[[X:.*]]: memref<4x10xf32>, %[[Y:.*]]: memref<4x10xf32> {tower.result = "y"}) {
// CHECK-NOT: memref.alloc
// CHECK: scf.for %{{.*}} = %c0 to %c32 step %c16
// CHECK: vector.load %{{.*}} : memref<40xf32>, vector<16xf32>
// CHECK: arith.cmpf ogt
// CHECK: vector.load %{{.*}}[%c32] : memref<40xf32>, vector<8xf32>
// CHECK: return
func.func @activate(%x: tensor<4x10xf32>) -> (tensor<4x10xf32> {tower.result = "y"}) {
  %y = tower.activate relu %x : tensor<4x10xf32>
  return %y : tensor<4x10xf32>
}

// -----

// Much work is cut into pieces by its size; nothing is fetched where the feature is masked.
// CHECK-LABEL: @lookup
// CHECK-SAME: %[[TABLE:[a-z0-9]+]]: memref<59x16xf32>, %[[IDS:[a-z0-9]+]]: memref<?xi32>, %[[ROWS:[a-z0-9]+]]: memref<8192xi32>, %[[MASK:[a-z0-9]+]]: memref<9xi8>
// CHECK: %[[BIT:.*]] = memref.load %[[MASK]][%c3]
// CHECK: %[[MASKED:.*]] = arith.cmpi ne, %[[BIT]]
// CHECK: scf.if %[[MASKED]] {
// CHECK-NOT: %[[TABLE]]
// CHECK: } else {
// CHECK: scf.parallel (%[[PIECE:.*]]) = (%c0) to (%c8) step (%c1)
// CHECK: %[[BEGIN:.*]] = arith.muli %[[PIECE]], %c1024
// CHECK: scf.for %[[I:.*]] = %[[BEGIN]]
// CHECK: memref.load %[[ROWS]][%[[I]]]
// CHECK: memref.load %[[IDS]]
// CHECK: vector.load %[[TABLE]]
func.func @lookup(%table: tensor<59x16xf32>, %ids: tensor<?xi32>, %rows: tensor<8192xi32>, %mask: tensor<9xi1>)
    -> (tensor<8192x16xf32> {tower.result = "e"}) {
  %e = tower.lookup %table, %ids[%rows] unless(%mask) feature(3)
    : (tensor<59x16xf32>, tensor<?xi32>, tensor<8192xi32>, tensor<9xi1>) -> tensor<8192x16xf32>
  return %e : tensor<8192x16xf32>
}

// -----

// What nothing else reads is added to in place, unless the feature is masked.
// CHECK-LABEL: func.func @lookup_onto
// CHECK: %[[SUM:.*]] = memref.alloc
// CHECK-NOT: memref.alloc
// CHECK: scf.if %{{.*}} {
// CHECK-NEXT: } else {
// CHECK: %[[BEFORE:.*]] = vector.load %[[SUM]]
// CHECK: %[[AFTER:.*]] = arith.addf %[[BEFORE]]
// CHECK: vector.store %[[AFTER]], %[[SUM]]
func.func @lookup_onto(%table: tensor<59x16xf32>, %ids: tensor<?xi32>, %rows: tensor<8xi32>, %mask: tensor<9xi1>)
    -> (tensor<16xf32> {tower.result = "e"}) {
  %e = tower.lookup %table, %ids[%rows] : (tensor<59x16xf32>, tensor<?xi32>, tensor<8xi32>) -> tensor<8x16xf32>
  %f = tower.lookup %table, %ids[%rows] unless(%mask) feature(3) onto(%e)
    : (tensor<59x16xf32>, tensor<?xi32>, tensor<8xi32>, tensor<9xi1>, tensor<8x16xf32>) -> tensor<8x16xf32>
  %s = tower.column_sum %f : tensor<8x16xf32> -> tensor<16xf32>
  return %s : tensor<16xf32>
}

// -----

// The step's number and the stream reach the runtime; dropout draws Philox words in place.
// CHECK-LABEL: @draws
// CHECK: call @tower_rt_sample_uniform(%{{.*}}, %c{{.*}}_i32, %{{.*}}, %c8_i64, %{{.*}}, %{{.*}}) : (i64, i32, i64, i64, i64, !llvm.ptr) -> ()
// CHECK: %[[WORD:.*]] = func.call @tower_philox
// CHECK: %[[WIDE:.*]] = arith.extui %[[WORD]] : i32 to i64
// CHECK: arith.cmpi uge, %[[WIDE]], %c1288490240_i64
// CHECK: func.func private @tower_rt_sample_uniform
// CHECK: func.func private @tower_philox
// CHECK-COUNT-18: arith.mului_extended
func.func @draws(%table: tensor<800x20xf32>, %offsets: tensor<?xi64>, %values: tensor<?xi32>, %items: tensor<i64>,
                 %step: tensor<i64>, %seed: tensor<i64>) -> (tensor<8x20xf32> {tower.result = "e"}) {
  %rows = tower.sample_uniform %step, %seed, %items stream("ssl/items") : tensor<8xi32>
  %e = tower.pooled_lookup %table, %offsets, %values[%rows] mean longest(20) dropout(3.0e-1, "ssl/1/words", %step, %seed)
    : (tensor<800x20xf32>, tensor<?xi64>, tensor<?xi32>, tensor<8xi32>, tensor<i64>, tensor<i64>) -> tensor<8x20xf32>
  return %e : tensor<8x20xf32>
}

// -----

// The bias comes first, then the product is added; segments are put side by side once for both products with them.
// CHECK-LABEL: @first_layer
// CHECK: %[[X:.*]] = memref.alloc() {alignment = 64 : i64} : memref<8x20xf32>
// CHECK: linalg.matmul {{.*}}ins(%[[X]], %arg2 : memref<8x20xf32>, memref<20x32xf32>) outs(%arg6 : memref<8x32xf32>)
// CHECK: linalg.generic {{.*}}ins(%arg3 : memref<32xf32>) outs(%arg6 : memref<8x32xf32>)
// CHECK-NOT: memref.alloc
// CHECK: linalg.matmul {{.*}}tower.overwrite{{.*}} ins(%[[X]], %arg4 : memref<8x20xf32>, memref<8x32xf32>) outs(%arg5 : memref<20x32xf32>)
func.func @first_layer(%x: tensor<8x16xf32>, %y: tensor<8x4xf32>, %w: tensor<20x32xf32>, %b: tensor<32xf32>, %dy: tensor<8x32xf32>)
    -> (tensor<20x32xf32>, tensor<8x32xf32>) {
  %z = tower.segment_linear(%x, %y) weight(%w) bias(%b)
    : (tensor<8x16xf32>, tensor<8x4xf32>, tensor<20x32xf32>, tensor<32xf32>) -> tensor<8x32xf32>
  %dw = tower.segment_weight_grad(%x, %y) gradient(%dy)
    : (tensor<8x16xf32>, tensor<8x4xf32>, tensor<8x32xf32>) -> tensor<20x32xf32>
  return %dw, %z : tensor<20x32xf32>, tensor<8x32xf32>
}

// -----

// Where masked features are skipped, a lookup writes to where the visible ones before it end, and products have the
// extent that the mask leaves.
// CHECK-LABEL: @skip_masked
// CHECK: %[[BIT0:.*]] = memref.load %arg3[%c0]
// CHECK: %[[HIDDEN0:.*]] = arith.cmpi ne, %[[BIT0]]
// CHECK: %[[FROM1:.*]] = arith.select %[[HIDDEN0]], %c0, %c16
// CHECK: %[[END1:.*]] = arith.addi %[[FROM1]], %c4
// CHECK: %[[TOTAL:.*]] = arith.select %{{.*}}, %[[FROM1]], %[[END1]]
// CHECK: %[[X:.*]] = memref.alloc() {alignment = 64 : i64} : memref<8x20xf32>
// CHECK: %[[V:.*]] = memref.subview %[[X]][0, 0] [8, %[[TOTAL]]]
// CHECK: %[[W:.*]] = memref.subview %{{.*}}[0, 0] [%[[TOTAL]], 32]
// CHECK: linalg.matmul {{.*}}ins(%[[V]], %[[W]]
// CHECK: linalg.generic
func.func @skip_masked(%t: tensor<59x16xf32>, %ids: tensor<?xi32>, %rows: tensor<8xi32>, %m: tensor<2xi1>, %y: tensor<8x4xf32>,
                       %dx: tensor<16xf32>, %dy: tensor<4xf32>, %w: tensor<20x32xf32>) -> tensor<8x32xf32> {
  %x = tower.lookup %t, %ids[%rows] unless(%m) feature(0) : (tensor<59x16xf32>, tensor<?xi32>, tensor<8xi32>, tensor<2xi1>) -> tensor<8x16xf32>
  %z = tower.segment_linear(%x, %y) mask(%m, %dx, %dy) skip_masked weight(%w)
    : (tensor<8x16xf32>, tensor<8x4xf32>, tensor<2xi1>, tensor<16xf32>, tensor<4xf32>, tensor<20x32xf32>) -> tensor<8x32xf32>
  return %z : tensor<8x32xf32>
}

// -----

// Scores exist for a block of rows at a time, which are an odd number of cache lines apart.
// CHECK-LABEL: @softmax
// CHECK: memref.alloc() {alignment = 64 : i64} : memref<2048xf32>
// CHECK: %[[ALL:.*]] = memref.alloc() {alignment = 64 : i64} : memref<256x2064xf32>
// CHECK: %[[S:.*]] = memref.subview %[[ALL]][0, 0] [256, 2048]
// CHECK: scf.for %{{.*}} = %c0 to %c2048 step %c256
// CHECK: linalg.matmul
// CHECK-SAME: outs(%[[S]] : memref<256x2048xf32, strided<[2064, 1]>>)
// CHECK: scf.parallel
// CHECK: math.exp
// CHECK: math.log
func.func @softmax(%q: tensor<2048x32xf32>, %x: tensor<2048x32xf32>, %ids: tensor<2048xi32>) -> (tensor<f32> {tower.result = "loss"}) {
  %loss, %lse = tower.in_batch_softmax %q, %x ids(%ids) temperature(1.0e-1)
    : (tensor<2048x32xf32>, tensor<2048x32xf32>, tensor<2048xi32>) -> (tensor<f32>, tensor<2048xf32>)
  return %loss : tensor<f32>
}

// -----

// A table is updated in its own memory, row by distinct row: nothing is as large as the table.
// CHECK-LABEL: @rows
// CHECK-SAME: (%[[TABLE:[a-z0-9]+]]: memref<100000x16xf32>, {{.*}}%[[FACTOR:[a-z0-9]+]]: memref<f32>) {
// CHECK-DAG: %[[SLOTS:.*]] = memref.alloc() {alignment = 64 : i64} : memref<16xi32>
// CHECK-NOT: memref<100000
// CHECK: scf.while
// CHECK: memref.load %[[SLOTS]]
// CHECK: vector.store %{{.*}}, %[[TABLE]]
// CHECK: return
func.func @rows(%table: tensor<100000x16xf32>, %ids: tensor<?xi32>, %rows: tensor<8xi32>, %g: tensor<8x16xf32>,
                %factor: tensor<f32>) -> (tensor<100000x16xf32> {tower.updates = 0 : i64}) {
  %d = tower.row_gradient %g, %ids[%rows] : (tensor<8x16xf32>, tensor<?xi32>, tensor<8xi32>) -> !tower.row_gradient<100000x16>
  %r, %v, %n = tower.sum_rows %d : !tower.row_gradient<100000x16> -> tensor<8xi32>, tensor<8x16xf32>, tensor<i64>
  %new = tower.sgd_rows %table rows(%r, %v, %n), %factor rate(5.0e-2)
    : (tensor<100000x16xf32>, tensor<8xi32>, tensor<8x16xf32>, tensor<i64>, tensor<f32>) -> tensor<100000x16xf32>
  return %new : tensor<100000x16xf32>
}

// -----

// What is no update leaves its argument alone.
// CHECK-LABEL: @copied
// CHECK-SAME: (%[[P:[a-z0-9]+]]: memref<16xf32>, {{.*}}, %[[NEW:[a-z0-9]+]]: memref<16xf32> {tower.result = "p"})
// CHECK-NOT: vector.store %{{.*}}, %[[P]]
// CHECK: return
func.func @copied(%p: tensor<16xf32>, %g: tensor<16xf32>, %factor: tensor<f32>) -> (tensor<16xf32> {tower.result = "p"}) {
  %new = tower.sgd %p, %g, %factor rate(1.0e-1) decay(0.0) : (tensor<16xf32>, tensor<16xf32>, tensor<f32>) -> tensor<16xf32>
  return %new : tensor<16xf32>
}
