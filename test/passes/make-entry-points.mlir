// RUN: tower-opt %s --tower-outline-parallel --tower-make-entry-points | FileCheck %s
// RUN: tower-opt %s --tower-llvm-phase | FileCheck %s --check-prefix=LLVM

// Buffers come in the order of arguments, extents in that of unknown sizes; then the arena and the runtime.
// CHECK-LABEL: func.func @step
// CHECK-SAME: llvm.linkage = #llvm.linkage<internal>
// CHECK: llvm.func @step_entry(%[[CALL:.*]]: !llvm.ptr) -> i32 attributes {tower.entry} {
// CHECK: %[[BUFFERS:.*]] = llvm.load %{{.*}} : !llvm.ptr -> !llvm.ptr
// CHECK: %[[EXTENTS:.*]] = llvm.load %{{.*}} : !llvm.ptr -> !llvm.ptr
// CHECK: llvm.getelementptr %[[EXTENTS]][0]
// CHECK: llvm.getelementptr %[[BUFFERS]][0]
// CHECK: llvm.getelementptr %[[EXTENTS]][1]
// CHECK: llvm.getelementptr %[[BUFFERS]][1]
// CHECK: func.call @step(
// CHECK: %[[OK:.*]] = llvm.mlir.constant(0 : i32)
// CHECK: llvm.return %[[OK]]
// CHECK-NOT: tower.tensor

// LLVM: llvm.func internal @step(
// LLVM: llvm.func @step_entry(%{{.*}}: !llvm.ptr) -> i32
// LLVM-NOT: unrealized_conversion_cast
tower.tensor @"table/section" parameter tensor<59x16xf32> init(normal 0.05)
func.func @step(%x: memref<?xf32>, %y: memref<8x?xf32>, %arena: memref<64xi8>) attributes {tower.arena_bytes = 64 : i64} {
  %c0 = arith.constant 0 : index
  %v = memref.load %x[%c0] : memref<?xf32>
  memref.store %v, %y[%c0, %c0] : memref<8x?xf32>
  return
}
