// RUN: tower-opt %s --tower-project-vocabularies --remark-format=emitRemark --remarks-filter=.* 2>&1 | FileCheck %s --check-prefix=WHY
// RUN: tower-opt %s --tower-project-vocabularies | FileCheck %s
// RUN: tower-opt %s --tower-project-vocabularies=gpu | FileCheck %s --check-prefix=GPU
// RUN: tower-opt %s --tower-project-vocabularies=always --tower-differentiate --cse | FileCheck %s --check-prefix=GRADIENT

// WHY: remark: [Missed] tower.segment_linear {{.*}}what a mask leaves of its features is known when the step runs
// CHECK-LABEL: func.func @masked
// CHECK-NOT: tower.project
func.func @masked(%e: tensor<40x64xf32>, %ids: tensor<?xi32>, %rows: tensor<4096xi32>, %m: tensor<2xi1>, %d: tensor<64xf32>, %w: tensor<128x64xf32>) -> tensor<4096x64xf32> {
  %x = tower.lookup %e, %ids[%rows] unless(%m) feature(0) : (tensor<40x64xf32>, tensor<?xi32>, tensor<4096xi32>, tensor<2xi1>) -> tensor<4096x64xf32>
  %z = tower.lookup %e, %ids[%rows] unless(%m) feature(1) : (tensor<40x64xf32>, tensor<?xi32>, tensor<4096xi32>, tensor<2xi1>) -> tensor<4096x64xf32>
  %y = tower.segment_linear(%x, %z) mask(%m, %d, %d) weight(%w)
    : (tensor<4096x64xf32>, tensor<4096x64xf32>, tensor<2xi1>, tensor<64xf32>, tensor<64xf32>, tensor<128x64xf32>) -> tensor<4096x64xf32>
  return %y : tensor<4096x64xf32>
}

// A table of 40 rows, as wide as the layer, before 4096 rows: its products are looked up.
// WHY: remark: [Passed] tower.lookup | Category:tower-project-vocabularies {{.*}}its 40 rows pass the first layer once
// 2 x 4096 x 64 x 64 multiply-adds; 2 x 40 x 64 x 64.
// WHY-SAME: operations after=327680, operations before=33554432
// CHECK-LABEL: func.func @small_vocabulary
// CHECK: %[[PARTS:.*]]:2 = tower.unstack %[[W:[a-z0-9]+]] : tensor<72x64xf32> -> tensor<64x64xf32>, tensor<8x64xf32>
// CHECK: %[[TABLE:.*]] = tower.project %[[E:[a-z0-9]+]], %[[PARTS]]#0
// CHECK: %[[P:.*]] = tower.lookup %[[TABLE]], %{{.*}} : (tensor<40x64xf32>
// CHECK: tower.segment_linear(%{{.*}}) weight(%[[PARTS]]#1) onto(%[[P]])
func.func @small_vocabulary(%e: tensor<40x64xf32>, %ids: tensor<?xi32>, %numbers: tensor<?x8xf32>, %rows: tensor<4096xi32>, %w: tensor<72x64xf32>)
    -> tensor<4096x64xf32> {
  %x = tower.lookup %e, %ids[%rows] : (tensor<40x64xf32>, tensor<?xi32>, tensor<4096xi32>) -> tensor<4096x64xf32>
  %n = tower.dense %numbers[%rows] none : (tensor<?x8xf32>, tensor<4096xi32>) -> tensor<4096x8xf32>
  %y = tower.segment_linear(%x, %n) weight(%w)
    : (tensor<4096x64xf32>, tensor<4096x8xf32>, tensor<72x64xf32>) -> tensor<4096x64xf32>
  return %y : tensor<4096x64xf32>
}

// Rows four times as wide as the layer. On a GPU they pay too, unlike those above: its products cost little beside bytes
// and launches.
// CHECK-LABEL: func.func @wide_rows
// CHECK: tower.project
// GPU-LABEL: func.func @small_vocabulary
// GPU-NOT: tower.project
// GPU-LABEL: func.func @wide_rows
// GPU: tower.project
func.func @wide_rows(%e: tensor<40x256xf32>, %ids: tensor<?xi32>, %numbers: tensor<?x8xf32>, %rows: tensor<262144xi32>, %w: tensor<264x64xf32>)
    -> tensor<262144x64xf32> {
  %x = tower.lookup %e, %ids[%rows] : (tensor<40x256xf32>, tensor<?xi32>, tensor<262144xi32>) -> tensor<262144x256xf32>
  %n = tower.dense %numbers[%rows] none : (tensor<?x8xf32>, tensor<262144xi32>) -> tensor<262144x8xf32>
  %y = tower.segment_linear(%x, %n) weight(%w)
    : (tensor<262144x256xf32>, tensor<262144x8xf32>, tensor<264x64xf32>) -> tensor<262144x64xf32>
  return %y : tensor<262144x64xf32>
}

// Narrow embeddings are cheaper to multiply than rows of the layer's width are to move; so are tables of many rows.
// WHY: remark: [Missed] tower.lookup {{.*}}its 40 rows as products, looked up, cost {{[0-9.]+}} times its part of the layer
// WHY: remark: [Missed] tower.lookup {{.*}}its 9000 rows as products, looked up, cost {{[0-9.]+}} times its part of the layer
// CHECK-LABEL: func.func @does_not_pay
// CHECK-NOT: tower.project
func.func @does_not_pay(%e: tensor<40x4xf32>, %v: tensor<9000x64xf32>, %ids: tensor<?xi32>, %rows: tensor<4096xi32>, %w: tensor<68x64xf32>) -> tensor<4096x64xf32> {
  %x = tower.lookup %e, %ids[%rows] : (tensor<40x4xf32>, tensor<?xi32>, tensor<4096xi32>) -> tensor<4096x4xf32>
  %z = tower.lookup %v, %ids[%rows] : (tensor<9000x64xf32>, tensor<?xi32>, tensor<4096xi32>) -> tensor<4096x64xf32>
  %y = tower.segment_linear(%x, %z) weight(%w)
    : (tensor<4096x4xf32>, tensor<4096x64xf32>, tensor<68x64xf32>) -> tensor<4096x64xf32>
  return %y : tensor<4096x64xf32>
}

// WHY: remark: [Missed] tower.lookup {{.*}}a layer needs a feature that is multiplied
// CHECK-LABEL: func.func @only_feature
// CHECK-NOT: tower.project
func.func @only_feature(%e: tensor<40x64xf32>, %ids: tensor<?xi32>, %rows: tensor<4096xi32>, %w: tensor<64x64xf32>) -> tensor<4096x64xf32> {
  %x = tower.lookup %e, %ids[%rows] : (tensor<40x64xf32>, tensor<?xi32>, tensor<4096xi32>) -> tensor<4096x64xf32>
  %y = tower.segment_linear(%x) weight(%w) : (tensor<4096x64xf32>, tensor<64x64xf32>) -> tensor<4096x64xf32>
  return %y : tensor<4096x64xf32>
}

// Layers of one weight whose features are not the same.
// CHECK-LABEL: func.func @other_tables
// CHECK-NOT: tower.project
func.func @other_tables(%e: tensor<40x64xf32>, %o: tensor<40x64xf32>, %ids: tensor<?xi32>, %numbers: tensor<4096x8xf32>, %rows: tensor<4096xi32>, %w: tensor<72x64xf32>)
    -> (tensor<4096x64xf32>, tensor<4096x64xf32>) {
  %x = tower.lookup %e, %ids[%rows] : (tensor<40x64xf32>, tensor<?xi32>, tensor<4096xi32>) -> tensor<4096x64xf32>
  %y = tower.segment_linear(%x, %numbers) weight(%w) : (tensor<4096x64xf32>, tensor<4096x8xf32>, tensor<72x64xf32>) -> tensor<4096x64xf32>
  %x2 = tower.lookup %o, %ids[%rows] : (tensor<40x64xf32>, tensor<?xi32>, tensor<4096xi32>) -> tensor<4096x64xf32>
  %y2 = tower.segment_linear(%x2, %numbers) weight(%w) : (tensor<4096x64xf32>, tensor<4096x8xf32>, tensor<72x64xf32>) -> tensor<4096x64xf32>
  return %y, %y2 : tensor<4096x64xf32>, tensor<4096x64xf32>
}

// Two applications of one encoder: one projection, and one sum of both's gradients. A pooled feature is added to what
// another one gave; the weight's other parts move together.
// CHECK-LABEL: func.func @two_layers
// GRADIENT-LABEL: func.func @two_layers
// GRADIENT: %[[PARTS:.*]]:4 = tower.unstack %[[W:[a-z0-9]+]] : tensor<14x8xf32> -> tensor<2x8xf32>, tensor<4x8xf32>, tensor<3x8xf32>, tensor<5x8xf32>
// GRADIENT: %[[REST:.*]] = tower.stack %[[PARTS]]#0, %[[PARTS]]#2
// GRADIENT: %[[T:.*]] = tower.project %[[E:[a-z0-9]+]], %[[PARTS]]#1
// GRADIENT: %[[U:.*]] = tower.project %[[V:[a-z0-9]+]], %[[PARTS]]#3
// GRADIENT: %[[P:.*]] = tower.lookup %[[T]]
// GRADIENT: %[[Q:.*]] = tower.pooled_lookup %[[U]], {{.*}} mean longest(6) onto(%[[P]])
// GRADIENT: tower.segment_linear(%{{.*}}, %{{.*}}) weight(%[[REST]]) bias(%{{.*}}) onto(%[[Q]])
// GRADIENT: tower.segment_linear(%{{.*}}, %{{.*}}) weight(%[[REST]]) bias(%{{.*}}) onto(
// GRADIENT: %[[BOTH:.*]] = tower.merge_rows %{{.*}} : <7x8>
// GRADIENT: %[[ROWS:.*]], %[[VALUES:.*]], %{{.*}} = tower.sum_rows %[[BOTH]] : <7x8> -> tensor<?xi32, #tower.bound<7>>
// GRADIENT: %[[D:.*]] = tower.matmul transpose_rhs %[[VALUES]], %[[PARTS]]#3
// GRADIENT: tower.row_gradient %[[D]], %{{.*}}[%[[ROWS]]]
// GRADIENT: %[[X:.*]] = tower.lookup %[[V]], %{{.*}}[%[[ROWS]]]
// GRADIENT: tower.matmul transpose_lhs %[[X]], %[[VALUES]]
func.func @two_layers(%e: tensor<9x4xf32>, %v: tensor<7x5xf32>, %ids: tensor<?xi32>, %offsets: tensor<?xi64>, %values: tensor<?xi32>, %numbers: tensor<?x2xf32>, %more: tensor<?x3xf32>,
                      %rows: tensor<16xi32>, %others: tensor<16xi32>, %w: tensor<14x8xf32>, %b: tensor<8xf32>)
    -> (tensor<f32>, !tower.row_gradient<9x4>, !tower.row_gradient<7x5>, tensor<14x8xf32>) {
  %n = tower.dense %numbers[%rows] none : (tensor<?x2xf32>, tensor<16xi32>) -> tensor<16x2xf32>
  %x = tower.lookup %e, %ids[%rows] : (tensor<9x4xf32>, tensor<?xi32>, tensor<16xi32>) -> tensor<16x4xf32>
  %o = tower.dense %more[%rows] none : (tensor<?x3xf32>, tensor<16xi32>) -> tensor<16x3xf32>
  %z = tower.pooled_lookup %v, %offsets, %values[%rows] mean longest(6) : (tensor<7x5xf32>, tensor<?xi64>, tensor<?xi32>, tensor<16xi32>) -> tensor<16x5xf32>
  %y = tower.segment_linear(%n, %x, %o, %z) weight(%w) bias(%b)
    : (tensor<16x2xf32>, tensor<16x4xf32>, tensor<16x3xf32>, tensor<16x5xf32>, tensor<14x8xf32>, tensor<8xf32>) -> tensor<16x8xf32>
  %n2 = tower.dense %numbers[%others] none : (tensor<?x2xf32>, tensor<16xi32>) -> tensor<16x2xf32>
  %x2 = tower.lookup %e, %ids[%others] : (tensor<9x4xf32>, tensor<?xi32>, tensor<16xi32>) -> tensor<16x4xf32>
  %o2 = tower.dense %more[%others] none : (tensor<?x3xf32>, tensor<16xi32>) -> tensor<16x3xf32>
  %z2 = tower.pooled_lookup %v, %offsets, %values[%others] mean longest(6) : (tensor<7x5xf32>, tensor<?xi64>, tensor<?xi32>, tensor<16xi32>) -> tensor<16x5xf32>
  %y2 = tower.segment_linear(%n2, %x2, %o2, %z2) weight(%w) bias(%b)
    : (tensor<16x2xf32>, tensor<16x4xf32>, tensor<16x3xf32>, tensor<16x5xf32>, tensor<14x8xf32>, tensor<8xf32>) -> tensor<16x8xf32>
  %loss, %lse = tower.in_batch_softmax %y, %y2 temperature(1.0) : (tensor<16x8xf32>, tensor<16x8xf32>) -> (tensor<f32>, tensor<16xf32>)
  %de, %dv, %dw = tower.gradient %loss wrt(%e, %v, %w)
    : (tensor<f32>, tensor<9x4xf32>, tensor<7x5xf32>, tensor<14x8xf32>) -> (!tower.row_gradient<9x4>, !tower.row_gradient<7x5>, tensor<14x8xf32>)
  return %loss, %de, %dv, %dw : tensor<f32>, !tower.row_gradient<9x4>, !tower.row_gradient<7x5>, tensor<14x8xf32>
}
