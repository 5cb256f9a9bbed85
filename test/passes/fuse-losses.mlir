// RUN: tower-opt %s --tower-fuse-losses --remark-format=emitRemark --remarks-filter=.* 2>&1 | FileCheck %s --check-prefix=WHY
// RUN: tower-opt %s --tower-fuse-losses | FileCheck %s

// Scores of 64 x 64 x 32 multiply-adds, twice, and two more such products; then three.
// WHY: remark: [Passed] tower.in_batch_softmax_with_grad {{.*}}computes its scores once for loss and gradients{{.*}}operations after=786432, operations before=1048576
// CHECK-LABEL: func.func @both
// CHECK: %[[G:.*]] = tower.scale
// CHECK: %[[LOSS:.*]], %[[DQ:.*]], %[[DX:.*]] = tower.in_batch_softmax_with_grad %[[G]], %arg0, %arg1 log_q(%arg2) temperature
// CHECK-NOT: tower.in_batch_softmax
// CHECK: tower.weighted_sum %[[LOSS]]
// CHECK: return %{{.*}}, %[[DQ]], %[[DX]]
func.func @both(%q: tensor<64x32xf32>, %x: tensor<64x32xf32>, %l: tensor<64xf32>, %f: tensor<f32>)
    -> (tensor<f32>, tensor<64x32xf32>, tensor<64x32xf32>) {
  %loss, %lse = tower.in_batch_softmax %q, %x log_q(%l) temperature(1.0e-1)
    : (tensor<64x32xf32>, tensor<64x32xf32>, tensor<64xf32>) -> (tensor<f32>, tensor<64xf32>)
  %total = tower.weighted_sum %loss weights([3.0e-1])
  %one = tower.one : tensor<f32>
  %g = tower.scale %one by(3.0e-1) : tensor<f32>
  %dq, %dx = tower.in_batch_softmax_grad %g, %lse, %q, %x log_q(%l) temperature(1.0e-1)
    : (tensor<f32>, tensor<64xf32>, tensor<64x32xf32>, tensor<64x32xf32>, tensor<64xf32>) -> (tensor<64x32xf32>, tensor<64x32xf32>)
  return %total, %dq, %dx : tensor<f32>, tensor<64x32xf32>, tensor<64x32xf32>
}

// WHY: remark: [Missed] tower.in_batch_softmax {{.*}}nothing asks for its gradient
// CHECK-LABEL: func.func @alone
// CHECK: tower.in_batch_softmax %
func.func @alone(%q: tensor<64x32xf32>, %x: tensor<64x32xf32>) -> tensor<f32> {
  %loss, %lse = tower.in_batch_softmax %q, %x temperature(1.0e-1) : (tensor<64x32xf32>, tensor<64x32xf32>) -> (tensor<f32>, tensor<64xf32>)
  return %loss : tensor<f32>
}

// WHY: remark: [Missed] tower.in_batch_softmax {{.*}}the scale of its gradient depends on its value
// CHECK-LABEL: func.func @squared
// CHECK: tower.in_batch_softmax %
// CHECK: tower.in_batch_softmax_grad %
func.func @squared(%q: tensor<64x32xf32>, %x: tensor<64x32xf32>) -> tensor<64x32xf32> {
  %loss, %lse = tower.in_batch_softmax %q, %x temperature(1.0e-1) : (tensor<64x32xf32>, tensor<64x32xf32>) -> (tensor<f32>, tensor<64xf32>)
  %g = tower.scale %loss by(2.0) : tensor<f32>
  %dq, %dx = tower.in_batch_softmax_grad %g, %lse, %q, %x temperature(1.0e-1)
    : (tensor<f32>, tensor<64xf32>, tensor<64x32xf32>, tensor<64x32xf32>) -> (tensor<64x32xf32>, tensor<64x32xf32>)
  return %dq : tensor<64x32xf32>
}

// WHY: remark: [Missed] tower.in_batch_softmax {{.*}}its gradient is of another loss
// CHECK-LABEL: func.func @other
// CHECK: tower.in_batch_softmax %
// CHECK: tower.in_batch_softmax_grad %
func.func @other(%g: tensor<f32>, %q: tensor<64x32xf32>, %x: tensor<64x32xf32>, %y: tensor<64x32xf32>) -> tensor<64x32xf32> {
  %loss, %lse = tower.in_batch_softmax %q, %x temperature(1.0e-1) : (tensor<64x32xf32>, tensor<64x32xf32>) -> (tensor<f32>, tensor<64xf32>)
  %dq, %dx = tower.in_batch_softmax_grad %g, %lse, %q, %y temperature(1.0e-1)
    : (tensor<f32>, tensor<64xf32>, tensor<64x32xf32>, tensor<64x32xf32>) -> (tensor<64x32xf32>, tensor<64x32xf32>)
  return %dq : tensor<64x32xf32>
}

// WHY: remark: [Missed] tower.spread_out {{.*}}only a softmax is computed together with its gradients
func.func @spread(%z: tensor<64x32xf32>) -> tensor<f32> {
  %loss = tower.spread_out %z : tensor<64x32xf32>
  return %loss : tensor<f32>
}
