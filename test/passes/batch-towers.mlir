// RUN: tower-opt %s --tower-batch-towers --remark-format=emitRemark --remarks-filter=.* 2>&1 | FileCheck %s --check-prefix=WHY
// RUN: tower-opt %s --tower-batch-towers | FileCheck %s

// Said first, of @counted.
// WHY: remark: [Missed] tower.linear {{.*}}the number of its rows is known when the step runs
// WHY: remark: [Passed] tower.linear | Category:tower-batch-towers {{.*}}runs once over 2 inputs
// WHY: remark: [Missed] tower.linear {{.*}}its weight has no other application
// CHECK-LABEL: func.func @views
// CHECK: %[[XY:.*]] = tower.stack %arg0, %arg1
// CHECK: %[[L:.*]] = tower.linear %[[XY]], %arg2
// CHECK: %[[A:.*]] = tower.activate tanh %[[L]]
// CHECK: %[[N:.*]] = tower.normalize %[[A]]
// CHECK: %[[PARTS:.*]]:2 = tower.unstack %[[N]] : tensor<12x32xf32> -> tensor<8x32xf32>, tensor<4x32xf32>
// CHECK: tower.linear %[[PARTS]]#0, %arg3
// CHECK: return %{{.*}}, %[[PARTS]]#1
func.func @views(%x: tensor<8x16xf32>, %y: tensor<4x16xf32>, %w: tensor<16x32xf32>, %v: tensor<32x8xf32>) -> (tensor<8x8xf32>, tensor<4x32xf32>) {
  %a = tower.linear %x, %w : (tensor<8x16xf32>, tensor<16x32xf32>) -> tensor<8x32xf32>
  %b = tower.activate tanh %a : tensor<8x32xf32>
  %c = tower.normalize %b : tensor<8x32xf32>
  %d = tower.linear %c, %v : (tensor<8x32xf32>, tensor<32x8xf32>) -> tensor<8x8xf32>
  %e = tower.linear %y, %w : (tensor<4x16xf32>, tensor<16x32xf32>) -> tensor<4x32xf32>
  %f = tower.activate tanh %e : tensor<4x32xf32>
  %g = tower.normalize %f : tensor<4x32xf32>
  return %d, %g : tensor<8x8xf32>, tensor<4x32xf32>
}

// What follows differs: it is not stacked.
// CHECK-LABEL: func.func @different
// CHECK: %[[PARTS:.*]]:2 = tower.unstack
// CHECK-DAG: tower.activate tanh %[[PARTS]]#0
// CHECK-DAG: tower.activate relu %[[PARTS]]#1
func.func @different(%x: tensor<8x16xf32>, %y: tensor<4x16xf32>, %w: tensor<16x32xf32>) -> (tensor<8x32xf32>, tensor<4x32xf32>) {
  %a = tower.linear %x, %w : (tensor<8x16xf32>, tensor<16x32xf32>) -> tensor<8x32xf32>
  %b = tower.activate tanh %a : tensor<8x32xf32>
  %e = tower.linear %y, %w : (tensor<4x16xf32>, tensor<16x32xf32>) -> tensor<4x32xf32>
  %f = tower.activate relu %e : tensor<4x32xf32>
  return %b, %f : tensor<8x32xf32>, tensor<4x32xf32>
}

// Another bias is another layer.
// CHECK-LABEL: func.func @biases
// CHECK-NOT: tower.stack
func.func @biases(%x: tensor<8x16xf32>, %y: tensor<4x16xf32>, %w: tensor<16x32xf32>, %b: tensor<32xf32>, %c: tensor<32xf32>) -> (tensor<8x32xf32>, tensor<4x32xf32>) {
  %a = tower.linear %x, %w bias(%b) : (tensor<8x16xf32>, tensor<16x32xf32>, tensor<32xf32>) -> tensor<8x32xf32>
  %e = tower.linear %y, %w bias(%c) : (tensor<4x16xf32>, tensor<16x32xf32>, tensor<32xf32>) -> tensor<4x32xf32>
  return %a, %e : tensor<8x32xf32>, tensor<4x32xf32>
}

// WHY: remark: [Missed] tower.linear {{.*}}one application of its weight feeds another
// CHECK-LABEL: func.func @tied
// CHECK-NOT: tower.stack
func.func @tied(%x: tensor<8x16xf32>, %w: tensor<16x16xf32>) -> tensor<8x16xf32> {
  %a = tower.linear %x, %w : (tensor<8x16xf32>, tensor<16x16xf32>) -> tensor<8x16xf32>
  %b = tower.linear %a, %w : (tensor<8x16xf32>, tensor<16x16xf32>) -> tensor<8x16xf32>
  return %b : tensor<8x16xf32>
}

// CHECK-LABEL: func.func @counted
// CHECK-NOT: tower.stack
func.func @counted(%x: tensor<?x16xf32, #tower.bound<8>>, %y: tensor<4x16xf32>, %w: tensor<16x32xf32>) -> (tensor<?x32xf32, #tower.bound<8>>, tensor<4x32xf32>) {
  %a = tower.linear %x, %w : (tensor<?x16xf32, #tower.bound<8>>, tensor<16x32xf32>) -> tensor<?x32xf32, #tower.bound<8>>
  %e = tower.linear %y, %w : (tensor<4x16xf32>, tensor<16x32xf32>) -> tensor<4x32xf32>
  return %a, %e : tensor<?x32xf32, #tower.bound<8>>, tensor<4x32xf32>
}
