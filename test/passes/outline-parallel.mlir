// RUN: tower-opt %s --tower-outline-parallel | FileCheck %s

// Memory goes by pointer (and dynamic sizes), constants are made again in the body.
// CHECK: func.func private @tower_piece_0_loop(%[[FRAME:.*]]: !llvm.ptr, %[[PIECE:.*]]: i64) {
// CHECK: llvm.getelementptr %[[FRAME]][0, 0]
// CHECK: llvm.load {{.*}} -> !llvm.ptr
// CHECK: %[[I:.*]] = arith.index_cast %[[PIECE]] : i64 to index
// CHECK: memref.store %{{.*}}, %{{.*}}[%[[I]]] : memref<16xf32>
// CHECK: return
// CHECK-NOT: tower_piece_1
// CHECK: func.func @step(%{{.*}}: memref<?xf32>, %{{.*}}: memref<256xi8>, %[[RUNTIME:.*]]: !llvm.ptr)
// CHECK: llvm.alloca %{{.*}} x !llvm.struct<(ptr, i64, f32, ptr)>
// CHECK-NOT: scf.parallel
// CHECK: %[[BODY:.*]] = constant @tower_piece_0_loop
// CHECK: %[[ADDRESS:.*]] = builtin.unrealized_conversion_cast %[[BODY]]
// CHECK: call @tower_rt_parallel(%[[RUNTIME]], %[[ADDRESS]], %{{.*}}, %{{.*}}) : (!llvm.ptr, !llvm.ptr, !llvm.ptr, i64) -> ()
// CHECK: constant @tower_piece_0_loop
// CHECK: call @tower_rt_parallel
func.func @step(%x: memref<?xf32>, %arena: memref<256xi8>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c16 = arith.constant 16 : index
  %c64 = arith.constant 64 : index
  %c128 = arith.constant 128 : index
  %scale = memref.load %x[%c0] : memref<?xf32>
  %y = memref.view %arena[%c64][] : memref<256xi8> to memref<16xf32>
  scf.parallel (%i) = (%c0) to (%c16) step (%c1) {
    %v = memref.load %x[%i] : memref<?xf32>
    %w = arith.mulf %v, %scale : f32
    memref.store %w, %y[%i] : memref<16xf32>
  }
  // The same on another buffer: no second function.
  %z = memref.view %arena[%c128][] : memref<256xi8> to memref<16xf32>
  scf.parallel (%i) = (%c0) to (%c16) step (%c1) {
    %v = memref.load %x[%i] : memref<?xf32>
    %w = arith.mulf %v, %scale : f32
    memref.store %w, %z[%i] : memref<16xf32>
  }
  return
}
