// RUN: tower-opt %s --tower-skip-masked --remark-format=emitRemark --remarks-filter=.* 2>&1 | FileCheck %s
// RUN: tower-opt %s --tower-skip-masked | FileCheck %s --check-prefix=IR

// Views of many rows: half of the product is worth more than moving half of the weight.
// CHECK: remark: [Passed] tower.segment_linear | Category:tower-skip-masked {{.*}}multiplies visible features only
// Half of 256 x 48 x 64 multiply-adds; both halves of the complement.
// CHECK-SAME: operations after=1048576, operations before=1572864
// CHECK: remark: [Passed] tower.segment_linear
// CHECK-SAME: operations after=524288
// CHECK: remark: [Passed] tower.segment_weight_grad
// CHECK: remark: [Passed] tower.segment_input_grad

// IR-LABEL: func.func @many_rows
// IR: tower.segment_linear({{.*}}) mask({{.*}}) skip_masked weight
// IR: tower.segment_linear({{.*}}) mask({{.*}}) skip_masked weight
// IR: tower.segment_weight_grad({{.*}}) mask({{.*}}) skip_masked gradient
// IR: tower.segment_input_grad {{.*}} mask({{.*}}) skip_masked
func.func @many_rows(%step: tensor<i64>, %seed: tensor<i64>, %x: tensor<256x16xf32>, %d: tensor<16xf32>, %w: tensor<48x64xf32>, %dy: tensor<256x64xf32>, %ids: tensor<?xi32>, %rows: tensor<256xi32>)
    -> (tensor<256x64xf32>, tensor<256x64xf32>, tensor<48x64xf32>, !tower.row_gradient<59x16>) {
  %m = tower.feature_mask %step, %seed count(1) stream("m") : tensor<3xi1>
  %o = tower.complement %m : tensor<3xi1>
  %y1 = tower.segment_linear(%x, %x, %x) mask(%m, %d, %d, %d) weight(%w)
    : (tensor<256x16xf32>, tensor<256x16xf32>, tensor<256x16xf32>, tensor<3xi1>, tensor<16xf32>, tensor<16xf32>, tensor<16xf32>, tensor<48x64xf32>) -> tensor<256x64xf32>
  %y2 = tower.segment_linear(%x, %x, %x) mask(%o, %d, %d, %d) weight(%w)
    : (tensor<256x16xf32>, tensor<256x16xf32>, tensor<256x16xf32>, tensor<3xi1>, tensor<16xf32>, tensor<16xf32>, tensor<16xf32>, tensor<48x64xf32>) -> tensor<256x64xf32>
  %s = tower.column_sum %dy : tensor<256x64xf32> -> tensor<64xf32>
  %dw = tower.segment_weight_grad(%x, %x, %x) mask(%m, %d, %d, %d) gradient(%dy, %s)
    : (tensor<256x16xf32>, tensor<256x16xf32>, tensor<256x16xf32>, tensor<3xi1>, tensor<16xf32>, tensor<16xf32>, tensor<16xf32>, tensor<256x64xf32>, tensor<64xf32>) -> tensor<48x64xf32>
  %dx:3 = tower.segment_input_grad %dy, %w mask(%m)
    : (tensor<256x64xf32>, tensor<48x64xf32>, tensor<3xi1>) -> (tensor<256x16xf32>, tensor<256x16xf32>, tensor<256x16xf32>)
  %g = tower.row_gradient %dx#1, %ids[%rows] unless(%m) feature(1)
    : (tensor<256x16xf32>, tensor<?xi32>, tensor<256xi32>, tensor<3xi1>) -> !tower.row_gradient<59x16>
  return %y1, %y2, %dw, %g : tensor<256x64xf32>, tensor<256x64xf32>, tensor<48x64xf32>, !tower.row_gradient<59x16>
}

// CHECK: remark: [Missed] tower.segment_linear | Category:tower-skip-masked {{.*}}moving 1 rows of the weight costs more than 1 columns of 4 rows
// IR-LABEL: func.func @few_rows
// IR-NOT: skip_masked
func.func @few_rows(%m: tensor<2xi1>, %x: tensor<4x1xf32>, %d: tensor<1xf32>, %w: tensor<2x8xf32>) -> tensor<4x8xf32> {
  %y = tower.segment_linear(%x, %x) mask(%m, %d, %d) weight(%w)
    : (tensor<4x1xf32>, tensor<4x1xf32>, tensor<2xi1>, tensor<1xf32>, tensor<1xf32>, tensor<2x8xf32>) -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// CHECK: remark: [Missed] tower.segment_linear {{.*}}no feature is masked
// IR-LABEL: func.func @no_mask
// IR-NOT: skip_masked
func.func @no_mask(%x: tensor<256x16xf32>, %w: tensor<16x64xf32>) -> tensor<256x64xf32> {
  %y = tower.segment_linear(%x) weight(%w) : (tensor<256x16xf32>, tensor<16x64xf32>) -> tensor<256x64xf32>
  return %y : tensor<256x64xf32>
}

// CHECK: remark: [Missed] tower.segment_input_grad {{.*}}the zero gradients of masked features are read
// IR-LABEL: func.func @zeros_are_read
// IR-NOT: skip_masked
func.func @zeros_are_read(%m: tensor<2xi1>, %dy: tensor<256x64xf32>, %w: tensor<32x64xf32>) -> tensor<256x16xf32> {
  %dx:2 = tower.segment_input_grad %dy, %w mask(%m)
    : (tensor<256x64xf32>, tensor<32x64xf32>, tensor<2xi1>) -> (tensor<256x16xf32>, tensor<256x16xf32>)
  %sum = tower.add %dx#0, %dx#1 : tensor<256x16xf32>
  return %sum : tensor<256x16xf32>
}
