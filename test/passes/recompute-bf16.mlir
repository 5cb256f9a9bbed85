// RUN: tower-opt %s --tower-recompute=budget=1000000 --remark-format=emitRemark --remarks-filter=tower-recompute 2>&1 | FileCheck %s
// RUN: sed 's/attributes {tower.bf16}//' %s | tower-opt --tower-recompute=budget=1000000 --remark-format=emitRemark --remarks-filter=tower-recompute 2>&1 | FileCheck %s --check-prefix=FP32

// The estimate counts what products copy. To be rounded, A^T is copied too: 96 of its columns here, 197,120 bytes.
module attributes {tower.bf16} {
  // CHECK: the step needs about 269824 bytes
  // FP32: the step needs about 72704 bytes
  func.func @step(%x: tensor<12x256xf32>, %w: tensor<256x64xf32>, %v: tensor<256x64xf32>, %rate: tensor<f32>)
      -> (tensor<256x64xf32> {tower.updates = 1 : i64}) {
    %y = tower.linear %x, %w : (tensor<12x256xf32>, tensor<256x64xf32>) -> tensor<12x64xf32>
    %dw = tower.matmul transpose_lhs %x, %y : (tensor<12x256xf32>, tensor<12x64xf32>) -> tensor<256x64xf32>
    %0 = tower.sgd %w, %dw, %rate rate(5.0e-2) decay(0.0) : (tensor<256x64xf32>, tensor<256x64xf32>, tensor<f32>) -> tensor<256x64xf32>
    return %0 : tensor<256x64xf32>
  }
}
