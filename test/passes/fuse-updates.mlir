// RUN: tower-opt %s --tower-fuse-updates --remark-format=emitRemark --remarks-filter=.* 2>&1 | FileCheck %s --check-prefix=WHY
// RUN: tower-opt %s --tower-fuse-updates | FileCheck %s

// WHY: remark: [Passed] tower.adagrad_rows | Category:tower-fuse-updates {{.*}}sums rows and updates them at once
// CHECK-LABEL: func.func @fused
// CHECK: %[[G:.*]] = tower.row_gradient
// CHECK-NOT: tower.sum_rows
// CHECK: tower.adagrad_rows %arg0, %arg1 gradient(%[[G]])
func.func @fused(%p: tensor<59x8xf32>, %a: tensor<59x8xf32>, %g: tensor<9x8xf32>, %ids: tensor<?xi32>, %of: tensor<9xi32>, %factor: tensor<f32>)
    -> (tensor<59x8xf32>, tensor<59x8xf32>) {
  %d = tower.row_gradient %g, %ids[%of] : (tensor<9x8xf32>, tensor<?xi32>, tensor<9xi32>) -> !tower.row_gradient<59x8>
  %rows, %values, %count = tower.sum_rows %d : !tower.row_gradient<59x8> -> tensor<9xi32>, tensor<9x8xf32>, tensor<i64>
  %new, %b = tower.adagrad_rows %p, %a rows(%rows, %values, %count), %factor rate(5.0e-2) epsilon(1.0e-10)
    : (tensor<59x8xf32>, tensor<59x8xf32>, tensor<9xi32>, tensor<9x8xf32>, tensor<i64>, tensor<f32>) -> (tensor<59x8xf32>, tensor<59x8xf32>)
  return %new, %b : tensor<59x8xf32>, tensor<59x8xf32>
}

// WHY: remark: [Missed] tower.sgd_rows {{.*}}clipping needs the norm of all gradients first
// CHECK-LABEL: func.func @clipped
// CHECK: tower.sum_rows
// CHECK: tower.sgd_rows %arg0 rows(
func.func @clipped(%p: tensor<59x8xf32>, %g: tensor<9x8xf32>, %ids: tensor<?xi32>, %of: tensor<9xi32>, %factor: tensor<f32>) -> tensor<59x8xf32> {
  %d = tower.row_gradient %g, %ids[%of] : (tensor<9x8xf32>, tensor<?xi32>, tensor<9xi32>) -> !tower.row_gradient<59x8>
  %rows, %values, %count = tower.sum_rows %d : !tower.row_gradient<59x8> -> tensor<9xi32>, tensor<9x8xf32>, tensor<i64>
  %norm = tower.squared_norm %values count(%count) : (tensor<9x8xf32>, tensor<i64>) -> tensor<f32>
  %scale = tower.clip_scale %norm norm(1.0)
  %new = tower.sgd_rows %p rows(%rows, %values, %count), %factor scale(%scale) rate(5.0e-2)
    : (tensor<59x8xf32>, tensor<9xi32>, tensor<9x8xf32>, tensor<i64>, tensor<f32>, tensor<f32>) -> tensor<59x8xf32>
  return %new : tensor<59x8xf32>
}

// WHY: remark: [Missed] tower.sgd_rows {{.*}}something else reads the summed rows
// CHECK-LABEL: func.func @read_elsewhere
// CHECK: tower.sgd_rows %arg0 rows(
func.func @read_elsewhere(%p: tensor<59x8xf32>, %g: tensor<9x8xf32>, %ids: tensor<?xi32>, %of: tensor<9xi32>, %factor: tensor<f32>)
    -> (tensor<59x8xf32>, tensor<9xi32>) {
  %d = tower.row_gradient %g, %ids[%of] : (tensor<9x8xf32>, tensor<?xi32>, tensor<9xi32>) -> !tower.row_gradient<59x8>
  %rows, %values, %count = tower.sum_rows %d : !tower.row_gradient<59x8> -> tensor<9xi32>, tensor<9x8xf32>, tensor<i64>
  %new = tower.sgd_rows %p rows(%rows, %values, %count), %factor rate(5.0e-2)
    : (tensor<59x8xf32>, tensor<9xi32>, tensor<9x8xf32>, tensor<i64>, tensor<f32>) -> tensor<59x8xf32>
  return %new, %rows : tensor<59x8xf32>, tensor<9xi32>
}
