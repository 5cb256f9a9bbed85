// RUN: tower-opt %s --tower-lower | FileCheck %s

// What layers multiply is rounded, the scores of the softmax are not.

// CHECK: module attributes {tower.bf16}
module attributes {tower.bf16} {
  // CHECK-LABEL: func.func @loss(
  // CHECK: linalg.matmul {tower.bf16, tower.overwrite}
  // CHECK: linalg.matmul {{.*}}{tower.overwrite}
  // CHECK-NOT: tower.bf16
  func.func @loss(%x: tensor<64x16xf32>, %w: tensor<16x32xf32>, %z: tensor<64x32xf32>) -> (tensor<f32> {tower.result = "loss"}) {
    %y = tower.linear %x, %w : (tensor<64x16xf32>, tensor<16x32xf32>) -> tensor<64x32xf32>
    %loss, %lse = tower.in_batch_softmax %y, %z temperature(1.0e-1)
      : (tensor<64x32xf32>, tensor<64x32xf32>) -> (tensor<f32>, tensor<64xf32>)
    return %loss : tensor<f32>
  }
}
