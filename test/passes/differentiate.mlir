// RUN: tower-opt %s --split-input-file --tower-differentiate --canonicalize --verify-diagnostics | FileCheck %s

// Contributions to one value are added, those to one table merged; nothing else is differentiated.

// CHECK-LABEL: @shared_table
func.func @shared_table(%table: tensor<59x16xf32>, %ids: tensor<?xi32>, %a: tensor<8xi32>, %b: tensor<8xi32>)
    -> !tower.row_gradient<59x16> {
  // CHECK-DAG: %[[Q:.*]] = tower.lookup %{{.*}}, %[[IDS:.*]][%[[A:.*]]] :
  // CHECK-DAG: %[[X:.*]] = tower.lookup %{{.*}}, %[[IDS]][%[[B:.*]]] :
  %q = tower.lookup %table, %ids[%a] : (tensor<59x16xf32>, tensor<?xi32>, tensor<8xi32>) -> tensor<8x16xf32>
  %x = tower.lookup %table, %ids[%b] : (tensor<59x16xf32>, tensor<?xi32>, tensor<8xi32>) -> tensor<8x16xf32>
  // CHECK: %{{.*}}, %[[LSE:.*]] = tower.in_batch_softmax %[[Q]], %[[X]]
  %loss, %lse = tower.in_batch_softmax %q, %x temperature(0.1)
    : (tensor<8x16xf32>, tensor<8x16xf32>) -> (tensor<f32>, tensor<8xf32>)
  // CHECK: %[[ONE:.*]] = tower.one
  // CHECK: %[[DQ:.*]], %[[DX:.*]] = tower.in_batch_softmax_grad %[[ONE]], %[[LSE]], %[[Q]], %[[X]]
  // CHECK: %[[GX:.*]] = tower.row_gradient %[[DX]], %[[IDS]][%[[B]]]
  // CHECK: %[[GQ:.*]] = tower.row_gradient %[[DQ]], %[[IDS]][%[[A]]]
  // CHECK: %[[SUM:.*]] = tower.merge_rows %[[GX]], %[[GQ]]
  // CHECK: return %[[SUM]]
  %g = tower.gradient %loss wrt(%table) : (tensor<f32>, tensor<59x16xf32>) -> !tower.row_gradient<59x16>
  return %g : !tower.row_gradient<59x16>
}

// -----

// A layer whose input no parameter reaches asks for the gradient of its weight alone.

// CHECK-LABEL: @constant_input
func.func @constant_input(%x: tensor<8x4xf32>, %w: tensor<4x2xf32>) -> tensor<4x2xf32> {
  %y = tower.linear %x, %w : (tensor<8x4xf32>, tensor<4x2xf32>) -> tensor<8x2xf32>
  // relu's derivative comes from its output.
  // CHECK: %[[A:.*]] = tower.activate relu
  %a = tower.activate relu %y : tensor<8x2xf32>
  %loss = tower.spread_out %a : tensor<8x2xf32>
  // CHECK: %[[DA:.*]] = tower.spread_out_grad
  // CHECK: %[[DY:.*]] = tower.activate_grad relu %[[A]], %[[DA]]
  // CHECK-NOT: transpose_rhs
  // CHECK: %[[DW:.*]] = tower.matmul transpose_lhs %{{.*}}, %[[DY]]
  // CHECK-NEXT: return %[[DW]]
  %g = tower.gradient %loss wrt(%w) : (tensor<f32>, tensor<4x2xf32>) -> tensor<4x2xf32>
  return %g : tensor<4x2xf32>
}

// -----

// gelu's comes from its input.

// CHECK-LABEL: @gelu
func.func @gelu(%x: tensor<8x4xf32>) -> tensor<8x4xf32> {
  // CHECK: tower.activate gelu %[[X:.*]] :
  %a = tower.activate gelu %x : tensor<8x4xf32>
  %loss = tower.spread_out %a : tensor<8x4xf32>
  // CHECK: tower.activate_grad gelu %[[X]],
  %g = tower.gradient %loss wrt(%x) : (tensor<f32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  return %g : tensor<8x4xf32>
}

// -----

func.func @no_adjoint(%x: tensor<8x4xf32>) -> tensor<8x4xf32> {
  // expected-error @below {{has no adjoint, but the loss depends on it}}
  %y = tower.scale %x by(2.0) : tensor<8x4xf32>
  %loss = tower.spread_out %y : tensor<8x4xf32>
  %g = tower.gradient %loss wrt(%x) : (tensor<f32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  return %g : tensor<8x4xf32>
}

// -----

func.func @unreached(%x: tensor<8x4xf32>, %w: tensor<4x2xf32>) -> tensor<4x2xf32> {
  %loss = tower.spread_out %x : tensor<8x4xf32>
  // expected-error @below {{the loss does not depend on a parameter of type 'tensor<4x2xf32>'}}
  %g = tower.gradient %loss wrt(%w) : (tensor<f32>, tensor<4x2xf32>) -> tensor<4x2xf32>
  return %g : tensor<4x2xf32>
}
