// RUN: tower-opt %s --tower-plan-memory --canonicalize | FileCheck %s

// %a is no longer in use when %b is: one place for both. %b and %c are both in use in the loop.
// CHECK-LABEL: @reuse
// CHECK-SAME: %[[ARENA:[a-z0-9]+]]: memref<128xi8>) attributes {tower.arena_bytes = 128 : i64}
// CHECK: memref.view %[[ARENA]][%c0][] : memref<128xi8> to memref<32xf32>
// CHECK: memref.view %[[ARENA]][%c0][] : memref<128xi8> to memref<16xf32>
// CHECK: scf.for
// CHECK: memref.view %[[ARENA]][%c64][] : memref<128xi8> to memref<8xf32>
// CHECK-NOT: memref.alloc
func.func @reuse(%x: memref<f32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %a = memref.alloc() : memref<32xf32>
  %b = memref.alloc() : memref<16xf32>
  %v = memref.load %x[] : memref<f32>
  memref.store %v, %a[%c0] : memref<32xf32>
  %w = memref.load %a[%c1] : memref<32xf32>
  memref.store %w, %b[%c0] : memref<16xf32>
  scf.for %i = %c0 to %c8 step %c1 {
    %c = memref.alloc() : memref<8xf32>
    memref.store %w, %c[%i] : memref<8xf32>
    %part = memref.subview %b[0] [8] [1] : memref<16xf32> to memref<8xf32, strided<[1]>>
    %y = memref.load %part[%i] : memref<8xf32, strided<[1]>>
    memref.store %y, %x[] : memref<f32>
  }
  return
}

// A pointer that a call gets is a use, too.
// CHECK-LABEL: @pointer
// CHECK-SAME: tower.arena_bytes = 128 : i64
func.func @pointer() {
  %c0 = arith.constant 0 : index
  %v = arith.constant 1.0 : f32
  %a = memref.alloc() : memref<16xf32>
  %b = memref.alloc() : memref<16xf32>
  %address = memref.extract_aligned_pointer_as_index %a : memref<16xf32> -> index
  memref.store %v, %b[%c0] : memref<16xf32>
  %integer = arith.index_cast %address : index to i64
  %pointer = llvm.inttoptr %integer : i64 to !llvm.ptr
  func.call @use(%pointer) : (!llvm.ptr) -> ()
  %y = memref.load %b[%c0] : memref<16xf32>
  func.call @keep(%y) : (f32) -> ()
  return
}
func.func private @use(!llvm.ptr)
func.func private @keep(f32)
