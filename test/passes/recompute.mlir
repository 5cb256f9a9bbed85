// RUN: tower-opt %s --tower-differentiate --canonicalize --tower-fuse-epilogues --tower-recompute --remark-format=emitRemark --remarks-filter=tower-recompute 2>&1 | FileCheck %s --check-prefix=NONE
// RUN: tower-opt %s --tower-differentiate --canonicalize --tower-fuse-epilogues --tower-recompute=budget=5000000 --remark-format=emitRemark --remarks-filter=tower-recompute 2>&1 | FileCheck %s --check-prefix=MUCH
// RUN: tower-opt %s --tower-differentiate --canonicalize --tower-fuse-epilogues --tower-recompute=budget=3000000 --remark-format=emitRemark --remarks-filter=tower-recompute 2>&1 | FileCheck %s --check-prefix=LITTLE
// RUN: tower-opt %s --tower-differentiate --canonicalize --tower-fuse-epilogues --tower-recompute=budget=3000000 | FileCheck %s

// The layer of one encoder goes while the other's gradient is computed.
// NONE: [Missed] func.func {{.*}}there is no budget of memory: all values are stored
// MUCH: [Missed] func.func {{.*}}the step needs about 3571712 bytes, the budget is 5000000: other values are stored
// LITTLE: [Passed] tower.linear {{.*}}1 ops again in the backward pass, 1048576 bytes less at the peak of memory
// LITTLE: [Missed] func.func {{.*}}the step needs about 2621440 bytes, the budget is 3000000: other values are stored
// CHECK-LABEL: func.func @layer
// CHECK: %[[E:.*]] = tower.lookup
// CHECK: %[[X:.*]] = tower.linear %[[E]], %arg3 relu
// CHECK: tower.linear %[[X]], %arg5
// CHECK: tower.matmul transpose_lhs %[[E]]
// CHECK: %[[AGAIN:.*]] = tower.linear %[[E]], %arg3 relu
// CHECK: tower.matmul {{.*}} gate(%[[AGAIN]])
// CHECK-NOT: tower.lookup
// CHECK: tower.sgd_rows
func.func @layer(%t: tensor<59x64xf32>, %ids: tensor<?xi32>, %rows: tensor<512xi32>, %w: tensor<64x512xf32>, %v: tensor<64x512xf32>, %u: tensor<512x16xf32>,
                %factor: tensor<f32>) -> (tensor<59x64xf32> {tower.updates = 0 : i64}, tensor<64x512xf32> {tower.updates = 3 : i64}, tensor<64x512xf32> {tower.updates = 4 : i64}) {
  %e = tower.lookup %t, %ids[%rows] : (tensor<59x64xf32>, tensor<?xi32>, tensor<512xi32>) -> tensor<512x64xf32>
  %x = tower.linear %e, %w relu : (tensor<512x64xf32>, tensor<64x512xf32>) -> tensor<512x512xf32>
  %a = tower.linear %x, %u : (tensor<512x512xf32>, tensor<512x16xf32>) -> tensor<512x16xf32>
  %y = tower.linear %e, %v relu : (tensor<512x64xf32>, tensor<64x512xf32>) -> tensor<512x512xf32>
  %b = tower.linear %y, %u : (tensor<512x512xf32>, tensor<512x16xf32>) -> tensor<512x16xf32>
  %la = tower.spread_out %a : tensor<512x16xf32>
  %lb = tower.spread_out %b : tensor<512x16xf32>
  %loss = tower.weighted_sum %la, %lb weights([1.0, 0.5])
  %g:3 = tower.gradient %loss wrt(%t, %w, %v) : (tensor<f32>, tensor<59x64xf32>, tensor<64x512xf32>, tensor<64x512xf32>) -> (!tower.row_gradient<59x64>, tensor<64x512xf32>, tensor<64x512xf32>)
  %0 = tower.sgd_rows %t gradient(%g#0), %factor rate(5.0e-2) : (tensor<59x64xf32>, !tower.row_gradient<59x64>, tensor<f32>) -> tensor<59x64xf32>
  %1 = tower.sgd %w, %g#1, %factor rate(5.0e-2) decay(0.0) : (tensor<64x512xf32>, tensor<64x512xf32>, tensor<f32>) -> tensor<64x512xf32>
  %2 = tower.sgd %v, %g#2, %factor rate(5.0e-2) decay(0.0) : (tensor<64x512xf32>, tensor<64x512xf32>, tensor<f32>) -> tensor<64x512xf32>
  return %0, %1, %2 : tensor<59x64xf32>, tensor<64x512xf32>, tensor<64x512xf32>
}

// A lookup reads the table once more, in front of its update; nothing else is idle at the peak.
// LITTLE: [Passed] tower.lookup {{.*}}1 ops again in the backward pass, 131072 bytes less at the peak of memory
// LITTLE: [Missed] func.func {{.*}}the budget is 3000000, and nothing else lowers the peak
// CHECK-LABEL: func.func @lookup
// CHECK: %[[E:.*]] = tower.lookup
// CHECK: %[[X:.*]] = tower.linear %[[E]]
// CHECK: tower.linear %[[X]]
// CHECK: tower.matmul transpose_lhs %[[X]]
// CHECK: %[[AGAIN:.*]] = tower.lookup
// CHECK-NEXT: tower.matmul transpose_lhs %[[AGAIN]]
// CHECK: tower.sgd_rows
func.func @lookup(%t: tensor<59x64xf32>, %ids: tensor<?xi32>, %rows: tensor<512xi32>, %w: tensor<64x512xf32>, %v: tensor<512x512xf32>, %u: tensor<512x16xf32>,
                  %factor: tensor<f32>) -> (tensor<59x64xf32> {tower.updates = 0 : i64}, tensor<64x512xf32> {tower.updates = 3 : i64}, tensor<512x512xf32> {tower.updates = 4 : i64}) {
  %e = tower.lookup %t, %ids[%rows] : (tensor<59x64xf32>, tensor<?xi32>, tensor<512xi32>) -> tensor<512x64xf32>
  %x = tower.linear %e, %w relu : (tensor<512x64xf32>, tensor<64x512xf32>) -> tensor<512x512xf32>
  %y = tower.linear %x, %v relu : (tensor<512x512xf32>, tensor<512x512xf32>) -> tensor<512x512xf32>
  %z = tower.linear %y, %u : (tensor<512x512xf32>, tensor<512x16xf32>) -> tensor<512x16xf32>
  %loss = tower.spread_out %z : tensor<512x16xf32>
  %g:3 = tower.gradient %loss wrt(%t, %w, %v) : (tensor<f32>, tensor<59x64xf32>, tensor<64x512xf32>, tensor<512x512xf32>) -> (!tower.row_gradient<59x64>, tensor<64x512xf32>, tensor<512x512xf32>)
  %0 = tower.sgd_rows %t gradient(%g#0), %factor rate(5.0e-2) : (tensor<59x64xf32>, !tower.row_gradient<59x64>, tensor<f32>) -> tensor<59x64xf32>
  %1 = tower.sgd %w, %g#1, %factor rate(5.0e-2) decay(0.0) : (tensor<64x512xf32>, tensor<64x512xf32>, tensor<f32>) -> tensor<64x512xf32>
  %2 = tower.sgd %v, %g#2, %factor rate(5.0e-2) decay(0.0) : (tensor<512x512xf32>, tensor<512x512xf32>, tensor<f32>) -> tensor<512x512xf32>
  return %0, %1, %2 : tensor<59x64xf32>, tensor<64x512xf32>, tensor<512x512xf32>
}
