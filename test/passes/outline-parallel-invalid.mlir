// RUN: tower-opt %s --tower-outline-parallel --split-input-file --verify-diagnostics

func.func @two_dimensions(%x: memref<4x4xf32>, %v: f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  // expected-error @below {{must run over 0, 1, ... in one dimension, without a reduction, to be outlined}}
  scf.parallel (%i, %j) = (%c0, %c0) to (%c4, %c4) step (%c1, %c1) {
    memref.store %v, %x[%i, %j] : memref<4x4xf32>
  }
  return
}

// -----

func.func @strided(%x: memref<4xf32, strided<[2]>>, %v: f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  // expected-error @below {{uses memory of type 'memref<4xf32, strided<[2]>>' that it cannot carry over}}
  scf.parallel (%i) = (%c0) to (%c4) step (%c1) {
    memref.store %v, %x[%i] : memref<4xf32, strided<[2]>>
  }
  return
}
