// RUN: tower-opt %s --tower-lower=gpu --canonicalize --cse --split-input-file | FileCheck %s

// Four columns a lane where rows have 128 or more, two where they have 64, one else: as many as all lanes can have. Vectors of
// rows that begin at multiples of 16 bytes are read and written at once.
// CHECK-LABEL: func.func @train_step
// CHECK: scf.for %[[A:.*]] = %{{.*}} to %c128 step %c128
// CHECK: vector.load %{{.*}}[%{{.*}}, %[[A]]] {alignment = 16 : i64} : memref<9x128xf32>, vector<4xf32>
// CHECK: vector.store %{{.*}}[%{{.*}}, %[[A]]] {alignment = 16 : i64} : memref<8x128xf32>, vector<4xf32>
// CHECK: scf.for %[[B:.*]] = %{{.*}} to %c64 step %c64
// CHECK: vector.load %{{.*}}[%{{.*}}, %[[B]]] {alignment = 8 : i64} : memref<9x64xf32>, vector<2xf32>
// Of 130 columns two a lane: four do not divide them. In rows of 130 elements two are never cut by 8 bytes, but rows are not
// known to begin at 16.
// CHECK: scf.for %[[C:.*]] = %{{.*}} to %c130 step %c64
// CHECK: vector.load %{{.*}}[%{{.*}}, %[[C]]] {alignment = 4 : i64} : memref<9x130xf32>, vector<2xf32>
// CHECK: scf.for %[[D:.*]] = %{{.*}} to %c48 step %c32
// CHECK: vector.load %{{.*}}[%{{.*}}, %[[D]]] : memref<9x48xf32>, vector<1xf32>
func.func @train_step(%a: tensor<9x128xf32>, %b: tensor<9x64xf32>, %c: tensor<9x130xf32>, %d: tensor<9x48xf32>, %ids: tensor<?xi32>, %rows: tensor<8xi32>)
    -> (tensor<8x128xf32>, tensor<8x64xf32>, tensor<8x130xf32>, tensor<8x48xf32>) {
  %w = tower.lookup %a, %ids[%rows] : (tensor<9x128xf32>, tensor<?xi32>, tensor<8xi32>) -> tensor<8x128xf32>
  %x = tower.lookup %b, %ids[%rows] : (tensor<9x64xf32>, tensor<?xi32>, tensor<8xi32>) -> tensor<8x64xf32>
  %y = tower.lookup %c, %ids[%rows] : (tensor<9x130xf32>, tensor<?xi32>, tensor<8xi32>) -> tensor<8x130xf32>
  %z = tower.lookup %d, %ids[%rows] : (tensor<9x48xf32>, tensor<?xi32>, tensor<8xi32>) -> tensor<8x48xf32>
  return %w, %x, %y, %z : tensor<8x128xf32>, tensor<8x64xf32>, tensor<8x130xf32>, tensor<8x48xf32>
}

// -----

// Side by side 128 + 3 columns take rows of 132, so that each begins at a multiple of 16 bytes. What stands behind three
// columns does not: its vectors are written an element at a time.
// CHECK-LABEL: func.func @train_step
// CHECK-DAG: memref.alloc() {{.*}} : memref<8x132xf32>
// CHECK: vector.store %{{.*}} : memref<8x3xf32, strided<[132, 1]>>, vector<1xf32>
// CHECK: vector.load %{{.*}} {alignment = 16 : i64} : memref<9x128xf32>, vector<4xf32>
// CHECK: vector.store %{{.*}} {alignment = 4 : i64} : memref<8x128xf32, strided<[132, 1], offset: 3>>, vector<4xf32>
func.func @train_step(%table: tensor<9x128xf32>, %numbers: tensor<?x3xf32>, %ids: tensor<?xi32>, %rows: tensor<8xi32>, %w: tensor<131x8xf32>) -> tensor<8x8xf32> {
  %n = tower.dense %numbers[%rows] none : (tensor<?x3xf32>, tensor<8xi32>) -> tensor<8x3xf32>
  %x = tower.lookup %table, %ids[%rows] : (tensor<9x128xf32>, tensor<?xi32>, tensor<8xi32>) -> tensor<8x128xf32>
  %y = tower.segment_linear(%n, %x) weight(%w) : (tensor<8x3xf32>, tensor<8x128xf32>, tensor<131x8xf32>) -> tensor<8x8xf32>
  return %y : tensor<8x8xf32>
}

// -----

// Where a mask says how many columns are before a feature's, each of them has a multiple of four.
// CHECK-LABEL: func.func @train_step
// CHECK: vector.store %{{.*}} {alignment = 16 : i64} : memref<8x128xf32, strided<[192, 1], offset: ?>>, vector<4xf32>
func.func @train_step(%a: tensor<9x64xf32>, %b: tensor<9x128xf32>, %ids: tensor<?xi32>, %rows: tensor<8xi32>, %mask: tensor<2xi1>, %d: tensor<64xf32>, %e: tensor<128xf32>, %w: tensor<192x8xf32>)
    -> tensor<8x8xf32> {
  %x = tower.lookup %a, %ids[%rows] unless(%mask) feature(0) : (tensor<9x64xf32>, tensor<?xi32>, tensor<8xi32>, tensor<2xi1>) -> tensor<8x64xf32>
  %z = tower.lookup %b, %ids[%rows] unless(%mask) feature(1) : (tensor<9x128xf32>, tensor<?xi32>, tensor<8xi32>, tensor<2xi1>) -> tensor<8x128xf32>
  %y = tower.segment_linear(%x, %z) mask(%mask, %d, %e) skip_masked weight(%w)
    : (tensor<8x64xf32>, tensor<8x128xf32>, tensor<2xi1>, tensor<64xf32>, tensor<128xf32>, tensor<192x8xf32>) -> tensor<8x8xf32>
  return %y : tensor<8x8xf32>
}
