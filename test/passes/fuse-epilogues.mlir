// RUN: tower-opt %s --tower-fuse-epilogues --remark-format=emitRemark --remarks-filter=.* 2>&1 | FileCheck %s --check-prefix=WHY
// RUN: tower-opt %s --tower-fuse-epilogues | FileCheck %s

// WHY: remark: [Passed] tower.activate | Category:tower-fuse-epilogues {{.*}}relu in the layer's product
// WHY: remark: [Passed] tower.activate | Category:tower-fuse-epilogues {{.*}}relu in the layer's product
// WHY: remark: [Passed] tower.activate_grad {{.*}}relu's derivative in the gradient's product

// CHECK-LABEL: func.func @layers
// CHECK: %[[A:.*]] = tower.segment_linear(%{{.*}}) weight(%{{.*}}) relu
// CHECK: %[[B:.*]] = tower.linear %[[A]], %{{.*}} bias(%{{.*}}) relu
// CHECK: return %[[A]], %[[B]]
func.func @layers(%x: tensor<8x16xf32>, %w: tensor<16x32xf32>, %v: tensor<32x32xf32>, %b: tensor<32xf32>) -> (tensor<8x32xf32>, tensor<8x32xf32>) {
  %y = tower.segment_linear(%x) weight(%w) : (tensor<8x16xf32>, tensor<16x32xf32>) -> tensor<8x32xf32>
  %a = tower.activate relu %y : tensor<8x32xf32>
  %z = tower.linear %a, %v bias(%b) : (tensor<8x32xf32>, tensor<32x32xf32>, tensor<32xf32>) -> tensor<8x32xf32>
  %c = tower.activate relu %z : tensor<8x32xf32>
  return %a, %c : tensor<8x32xf32>, tensor<8x32xf32>
}

// CHECK-LABEL: func.func @back
// CHECK: %[[DX:.*]] = tower.matmul transpose_rhs %{{.*}}, %{{.*}} gate(%arg0)
// CHECK: return %[[DX]]
func.func @back(%y: tensor<8x16xf32>, %dz: tensor<8x32xf32>, %w: tensor<16x32xf32>) -> tensor<8x16xf32> {
  %dy = tower.matmul transpose_rhs %dz, %w : (tensor<8x32xf32>, tensor<16x32xf32>) -> tensor<8x16xf32>
  %dx = tower.activate_grad relu %y, %dy : tensor<8x16xf32>
  return %dx : tensor<8x16xf32>
}

// The gradients of a stack's parts are rows of one product: the stack is its gate.
// WHY: remark: [Passed] tower.activate_grad {{.*}}for all rows of a stack
// WHY: remark: [Passed] tower.activate_grad {{.*}}for all rows of a stack
// CHECK-LABEL: func.func @stacked
// CHECK: %[[S:.*]] = tower.stack %arg0, %arg1
// CHECK: %[[D:.*]] = tower.matmul transpose_rhs %{{.*}}, %{{.*}} gate(%[[S]])
// CHECK: %[[A:.*]] = tower.slice_rows %[[D]] from(0)
// CHECK: %[[B:.*]] = tower.slice_rows %[[D]] from(8)
// CHECK: return %[[S]], %[[A]], %[[B]]
func.func @stacked(%y: tensor<8x16xf32>, %z: tensor<4x16xf32>, %dz: tensor<12x32xf32>, %w: tensor<16x32xf32>) -> (tensor<12x16xf32>, tensor<8x16xf32>, tensor<4x16xf32>) {
  %s = tower.stack %y, %z : (tensor<8x16xf32>, tensor<4x16xf32>) -> tensor<12x16xf32>
  %d = tower.matmul transpose_rhs %dz, %w : (tensor<12x32xf32>, tensor<16x32xf32>) -> tensor<12x16xf32>
  %a = tower.slice_rows %d from(0) : tensor<12x16xf32> -> tensor<8x16xf32>
  %b = tower.slice_rows %d from(8) : tensor<12x16xf32> -> tensor<4x16xf32>
  %c = tower.activate_grad relu %y, %a : tensor<8x16xf32>
  %e = tower.activate_grad relu %z, %b : tensor<4x16xf32>
  return %s, %c, %e : tensor<12x16xf32>, tensor<8x16xf32>, tensor<4x16xf32>
}

// WHY: remark: [Passed] tower.add {{.*}}added by the second product
// The second product continues the first, whichever operand it is.
// CHECK-LABEL: func.func @sum
// CHECK: %[[ONE:.*]] = tower.segment_weight_grad
// CHECK: %[[TWO:.*]] = tower.matmul transpose_lhs %{{.*}}, %{{.*}} onto(%[[ONE]])
// CHECK: return %[[TWO]]
func.func @sum(%x: tensor<8x16xf32>, %dy: tensor<8x32xf32>) -> tensor<16x32xf32> {
  %one = tower.segment_weight_grad(%x) gradient(%dy) : (tensor<8x16xf32>, tensor<8x32xf32>) -> tensor<16x32xf32>
  %two = tower.matmul transpose_lhs %x, %dy : (tensor<8x16xf32>, tensor<8x32xf32>) -> tensor<16x32xf32>
  %sum = tower.add %two, %one : tensor<16x32xf32>
  return %sum : tensor<16x32xf32>
}

// WHY: remark: [Missed] tower.activate {{.*}}tanh is no epilogue of a product; only relu is
// WHY: remark: [Missed] tower.activate {{.*}}the layer's value in front of relu is read elsewhere
// WHY: remark: [Missed] tower.add {{.*}}neither summand is a product that nothing else reads
// CHECK-LABEL: func.func @declined
// CHECK: tower.activate tanh
// CHECK: tower.activate relu
// CHECK: tower.add
func.func @declined(%x: tensor<8x16xf32>, %w: tensor<16x32xf32>) -> (tensor<8x32xf32>, tensor<8x32xf32>, tensor<8x32xf32>) {
  %y = tower.linear %x, %w : (tensor<8x16xf32>, tensor<16x32xf32>) -> tensor<8x32xf32>
  %a = tower.activate tanh %y : tensor<8x32xf32>
  %b = tower.activate relu %y : tensor<8x32xf32>
  %c = tower.add %a, %b : tensor<8x32xf32>
  return %a, %b, %c : tensor<8x32xf32>, tensor<8x32xf32>, tensor<8x32xf32>
}
