// RUN: tower-opt %s --tower-lower="gpu chain=16" --canonicalize --cse --split-input-file | FileCheck %s
// RUN: tower-opt %s --tower-lower="gpu chain=128" --canonicalize --cse --split-input-file | FileCheck %s --check-prefix=SHORT
// RUN: tower-opt %s --tower-lower="chain=16" --canonicalize --cse --split-input-file | FileCheck %s --check-prefix=CPU

// 100 rows in 7 ranges, each by a warp; then their 7 sums.
// CHECK-LABEL: func.func @columns
// CHECK: %[[SUMS:.*]] = memref.alloc() {{.*}} : memref<7x8xf32>
// CHECK: scf.parallel (%[[PIECE:.*]]) = (%c0) to (%c7)
// CHECK: scf.for {{.*}} to %{{.*}} step %c1 iter_args
// CHECK: vector.store %{{.*}}, %[[SUMS]][%[[PIECE]],
// CHECK: scf.for {{.*}} to %c7 step %c1 iter_args
// CHECK: vector.load %[[SUMS]]
// SHORT-LABEL: func.func @columns
// SHORT-NOT: memref.alloc
// SHORT: scf.for {{.*}} to %c100 step %c1 iter_args
// CPU-LABEL: func.func @columns
// CPU-NOT: memref.alloc
// CPU: scf.for {{.*}} to %c100 step %c1 iter_args
func.func @columns(%x: tensor<100x8xf32>) -> tensor<8xf32> {
  %y = tower.column_sum %x : tensor<100x8xf32> -> tensor<8xf32>
  return %y : tensor<8xf32>
}

// -----

// A weight's gradient has one tile and sums over 256 rows: two products over 128 rows each, which is eight chains, and their
// sum. A product whose sum is a row of its factors is not cut.
// CHECK-LABEL: func.func @weight
// CHECK: memref.subview %arg1[0, 0] [128, 16]
// CHECK: memref.subview %arg0[0, 0] [128, 8]
// CHECK: linalg.matmul
// CHECK: memref.subview %arg1[128, 0] [128, 16]
// CHECK: memref.subview %arg0[128, 0] [128, 8]
// CHECK: linalg.matmul
// CHECK: scf.parallel
// CHECK: linalg.matmul
// CHECK-NOT: linalg.matmul
// SHORT-LABEL: func.func @weight
// SHORT-COUNT-2: linalg.matmul
// SHORT-NOT: linalg.matmul
// CPU-LABEL: func.func @weight
// CPU-COUNT-2: linalg.matmul
// CPU-NOT: linalg.matmul
func.func @weight(%x: tensor<256x8xf32>, %dy: tensor<256x16xf32>, %w: tensor<16x8xf32>) -> (tensor<8x16xf32>, tensor<256x8xf32>) {
  %dw = tower.matmul transpose_lhs %x, %dy : (tensor<256x8xf32>, tensor<256x16xf32>) -> tensor<8x16xf32>
  %dx = tower.matmul %dy, %w : (tensor<256x16xf32>, tensor<16x8xf32>) -> tensor<256x8xf32>
  return %dw, %dx : tensor<8x16xf32>, tensor<256x8xf32>
}

// -----

// 100 positions may all be of one row of the table: six windows of 16 of them, summed by six warps where they have one row.
// A row adds what is before its first window, its windows, and what is behind them.
// CHECK-LABEL: func.func @rows
// CHECK: %[[WINDOWS:.*]] = memref.alloc() {{.*}} : memref<6x8xf32>
// CHECK: scf.while
// CHECK: scf.while
// CHECK: %[[SAME:.*]] = arith.cmpi eq
// CHECK: scf.if %[[SAME]]
// CHECK: vector.store %{{.*}}, %[[WINDOWS]]
// CHECK: tower.at_most = 6
// CHECK-COUNT-3: scf.for {{.*}} iter_args
// SHORT-LABEL: func.func @rows
// SHORT-NOT: memref.alloc() {{.*}}x8xf32>
// CPU-LABEL: func.func @rows
// CPU-NOT: memref.alloc() {{.*}}x8xf32>
func.func @rows(%g: tensor<100x8xf32>, %ids: tensor<?xi32>, %of: tensor<100xi32>) -> (tensor<50xi32>, tensor<50x8xf32>, tensor<i64>) {
  %d = tower.row_gradient %g, %ids[%of] : (tensor<100x8xf32>, tensor<?xi32>, tensor<100xi32>) -> !tower.row_gradient<50x8>
  %rows, %values, %count = tower.sum_rows %d : !tower.row_gradient<50x8> -> tensor<50xi32>, tensor<50x8xf32>, tensor<i64>
  return %rows, %values, %count : tensor<50xi32>, tensor<50x8xf32>, tensor<i64>
}
