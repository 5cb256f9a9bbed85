// RUN: tower-opt %s --tower-lower-products | FileCheck %s
// RUN: tower-opt %s --tower-lower-products -o /dev/null --remark-format=emitRemark --remarks-filter=.* 2>&1 | FileCheck %s --check-prefix=REMARK

// CHECK-LABEL: @doubles
// CHECK-NOT: linalg.
// CHECK: scf.for
// CHECK: arith.mulf {{.*}} : f64
// REMARK: elements are not f32
func.func @doubles(%a: memref<64x64xf64>, %b: memref<64x64xf64>, %c: memref<64x64xf64>) {
  linalg.matmul ins(%a, %b : memref<64x64xf64>, memref<64x64xf64>) outs(%c : memref<64x64xf64>)
  return
}

// CHECK-LABEL: @columns_apart
// CHECK: linalg.fill
// CHECK: arith.mulf {{.*}} : f32
// REMARK: rows are not contiguous
func.func @columns_apart(%a: memref<8x8xf32, strided<[16, 2]>>, %b: memref<8x8xf32>, %c: memref<8x8xf32>) {
  linalg.matmul {tower.overwrite} ins(%a, %b : memref<8x8xf32, strided<[16, 2]>>, memref<8x8xf32>) outs(%c : memref<8x8xf32>)
  return
}

// Products on tensors are not yet for this pass.
// CHECK-LABEL: @tensors
// CHECK: linalg.matmul
func.func @tensors(%a: tensor<64x64xf32>, %b: tensor<64x64xf32>, %c: tensor<64x64xf32>) -> tensor<64x64xf32> {
  %0 = linalg.matmul ins(%a, %b : tensor<64x64xf32>, tensor<64x64xf32>) outs(%c : tensor<64x64xf32>) -> tensor<64x64xf32>
  return %0 : tensor<64x64xf32>
}
