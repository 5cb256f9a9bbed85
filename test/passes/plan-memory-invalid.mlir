// RUN: tower-opt %s --tower-plan-memory --split-input-file --verify-diagnostics

func.func @dynamic(%n: index) {
  // expected-error @below {{has a size known only at run time, which no plan can place}}
  %a = memref.alloc(%n) : memref<?xf32>
  return
}

// -----

func.func @shared() {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  scf.parallel (%i) = (%c0) to (%c8) step (%c1) {
    // expected-error @below {{is in a parallel loop, whose pieces would share it}}
    %a = memref.alloc() : memref<8xf32>
  }
  return
}

// -----

func.func private @helper() {
  // expected-error @below {{remains after planning: a step must not allocate memory}}
  %a = memref.alloc() : memref<8xf32>
  return
}

// -----

func.func @freed(%x: memref<8xf32>) {
  // expected-error @below {{remains after planning: a step must not allocate memory}}
  memref.dealloc %x : memref<8xf32>
  return
}
