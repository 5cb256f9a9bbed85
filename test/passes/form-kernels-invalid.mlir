// RUN: tower-opt %s --tower-form-kernels --split-input-file --verify-diagnostics

// The number of blocks is known only to the device.
func.func @loop(%x: memref<8xf32>, %count: memref<i64>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %f = arith.constant 0.0 : f32
  %n = memref.load %count[] : memref<i64>
  %end = arith.index_cast %n : i64 to index
  // expected-error @below {{has kernels inside, but the host does not know what it does}}
  scf.for %i = %c0 to %end step %c1 {
    scf.parallel (%j) = (%c0) to (%end) step (%c1) {
      memref.store %f, %x[%j] : memref<8xf32>
    }
  }
  return
}

// -----

func.func private @elsewhere(i64)

func.func @call(%x: memref<i64>) {
  %n = memref.load %x[] : memref<i64>
  // expected-error @below {{cannot run on the host: it does not say where its numbers go}}
  func.call @elsewhere(%n) : (i64) -> ()
  return
}
