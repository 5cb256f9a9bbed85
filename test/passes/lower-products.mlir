// RUN: tower-opt %s --tower-lower-products --canonicalize --cse --split-input-file | FileCheck %s
// RUN: tower-opt %s --tower-lower-products=vector-width=8 --canonicalize --cse --split-input-file | FileCheck %s --check-prefix=AVX2
// RUN: tower-opt %s --tower-lower-products=dot-bf16 --canonicalize --cse --split-input-file | FileCheck %s --check-prefix=DOT
// RUN: tower-opt %s --tower-lower-products=copy-transposed --canonicalize --cse --split-input-file | FileCheck %s --check-prefix=COPY

// Packing in pieces, then pieces of C: rows are copied to the stack, tiles are calls of one kernel and one for tails.

// CHECK-LABEL: func.func @layer(
// CHECK: %[[PACKED:.*]] = memref.alloc() {alignment = 64 : i64} : memref<180224xf32>
// CHECK: scf.parallel
// CHECK: vector.store %{{.*}}, %[[PACKED]]
// CHECK: scf.parallel
// CHECK: memref.alloca() {alignment = 64 : i64} : memref<50688xf32>
// CHECK: call @tower_product_12x32(
// CHECK: call @tower_product_4x32(
// CHECK-NOT: call
// CHECK-NOT: linalg.
// CHECK: return

// With 16 registers of 8 elements the tile is 6 x 16, and rows left over are taken two at a time.
// AVX2-LABEL: func.func @layer(
// AVX2: call @tower_product_6x16(
// AVX2: call @tower_product_2x16(
// AVX2-NOT: vector<16xf32>
// AVX2-LABEL: func.func private @tower_product_6x16(
// AVX2: scf.for
// AVX2-COUNT-48: vector.fma
// AVX2-NOT: vector.fma
// AVX2: scf.for
func.func @layer(%x: memref<1024x344xf32>, %w: memref<344x512xf32>, %y: memref<1024x512xf32>) {
  linalg.matmul {tower.overwrite} ins(%x, %w : memref<1024x344xf32>, memref<344x512xf32>) outs(%y : memref<1024x512xf32>)
  return
}

// The kernel keeps 12 x 32 elements in 24 vectors and starts from zero or from C.
// CHECK-LABEL: func.func private @tower_product_12x32(
// CHECK-SAME: noinline
// CHECK: scf.if %{{.*}} -> (vector<16xf32>
// CHECK: scf.for
// CHECK-COUNT-96: vector.fma
// CHECK-NOT: vector.fma
// CHECK: scf.for
// CHECK-COUNT-24: vector.fma
// CHECK-COUNT-24: vector.store
// CHECK: return

// -----

// A gradient dW += X^T dY: A is read where it is, B is packed; nothing is set to zero.

// CHECK-LABEL: func.func @weight_gradient(
// CHECK: scf.parallel
// CHECK-NOT: memref.alloca
// CHECK: call @tower_product_12x32_ta(

// Where processors are slow with rows' short pieces, they are copied to the stack first, for the same kernel.
// COPY-LABEL: func.func @weight_gradient(
// COPY: scf.parallel
// COPY: memref.alloca() {alignment = 64 : i64} : memref<{{[0-9]+}}xf32>
// COPY: memref.prefetch
// COPY: call @tower_product_12x32_ta(
func.func @weight_gradient(%x: memref<1024x384xf32>, %dy: memref<1024x512xf32>, %dw: memref<384x512xf32>) {
  linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (k, m)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
    ins(%x, %dy : memref<1024x384xf32>, memref<1024x512xf32>) outs(%dw : memref<384x512xf32>)
  return
}

// -----

// B transposed: panels are made by transposition.

// CHECK-LABEL: func.func @similarities(
// CHECK: scf.parallel
// CHECK: call @tower_product_transpose_16(
// CHECK: scf.parallel
func.func @similarities(%q: memref<256x128xf32>, %x: memref<1024x128xf32>, %s: memref<256x1024xf32>) {
  linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
    {tower.overwrite} ins(%q, %x : memref<256x128xf32>, memref<1024x128xf32>) outs(%s : memref<256x1024xf32>)
  return
}

// -----

// Small, and too few rows to pack: sequential, B in its place.

// CHECK-LABEL: func.func @small(
// CHECK-NOT: scf.parallel
// CHECK: call @tower_product_4x32_inplace(
// CHECK-NOT: scf.parallel
// CHECK: return
func.func @small(%x: memref<4x64xf32>, %w: memref<64x64xf32>, %y: memref<4x64xf32>) {
  linalg.matmul {tower.overwrite} ins(%x, %w : memref<4x64xf32>, memref<64x64xf32>) outs(%y : memref<4x64xf32>)
  return
}

// -----

// The number of rows is known when it runs; scratch is static all the same.

// CHECK-LABEL: func.func @distinct_rows(
// CHECK-NOT: memref.alloc({{.+}})
// CHECK: memref.alloc() {alignment = 64 : i64} : memref<180224xf32>
// CHECK-NOT: memref.alloc({{.+}})
// CHECK: call @tower_product_12x32(
// CHECK: call @tower_product_4x32(
// CHECK: call @tower_product_1x32(
func.func @distinct_rows(%x: memref<?x344xf32>, %w: memref<344x512xf32>, %y: memref<?x512xf32>) {
  linalg.matmul {tower.overwrite} ins(%x, %w : memref<?x344xf32>, memref<344x512xf32>) outs(%y : memref<?x512xf32>)
  return
}

// -----

// A number of columns that a buffer bounds: packed at once, not in a loop.

// CHECK-LABEL: func.func @distinct_columns(
// CHECK: memref.alloc() {alignment = 64 : i64} : memref<131072xf32>
// CHECK-NOT: scf.for
// CHECK: scf.parallel
// CHECK: call @tower_product_transpose_16(
// CHECK: scf.parallel
func.func @distinct_columns(%q: memref<256x128xf32>, %x: memref<1024x128xf32>, %s: memref<256x1024xf32>, %count: index) {
  %columns = memref.subview %x[0, 0] [%count, 128] [1, 1] : memref<1024x128xf32> to memref<?x128xf32, strided<[128, 1]>>
  %scores = memref.subview %s[0, 0] [256, %count] [1, 1] : memref<256x1024xf32> to memref<256x?xf32, strided<[1024, 1]>>
  linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
    {tower.overwrite} ins(%q, %columns : memref<256x128xf32>, memref<?x128xf32, strided<[128, 1]>>) outs(%scores : memref<256x?xf32, strided<[1024, 1]>>)
  return
}

// -----

// Inside parallel work a product is sequential, its scratch is taken once from the piece's stack.

// CHECK-LABEL: func.func @nested(
// CHECK: scf.parallel
// CHECK: memref.alloca() {alignment = 64 : i64} : memref<32768xf32>
// CHECK: memref.alloca() {alignment = 64 : i64} : memref<19008xf32>
// CHECK: scf.for
// CHECK-NOT: memref.alloc
// CHECK-NOT: scf.parallel
// CHECK: call @tower_product_12x32(
// CHECK: return
func.func @nested(%a: memref<96x256xf32>, %b: memref<256x256xf32>, %c: memref<96x256xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.parallel (%p) = (%c0) to (%n) step (%c1) {
    scf.for %i = %c0 to %n step %c1 {
      linalg.matmul ins(%a, %b : memref<96x256xf32>, memref<256x256xf32>) outs(%c : memref<96x256xf32>)
    }
  }
  return
}

// -----

// A bias and a ReLU behind the product are drawn into its kernels.

// CHECK-LABEL: func.func @bias_and_relu(
// CHECK-NOT: linalg.generic
// CHECK: call @tower_product_12x32_bias_relu(
// CHECK-NOT: linalg.generic
// CHECK: return
func.func @bias_and_relu(%x: memref<36x64xf32>, %w: memref<64x64xf32>, %b: memref<64xf32>, %y: memref<36x64xf32>) {
  linalg.matmul {tower.overwrite} ins(%x, %w : memref<36x64xf32>, memref<64x64xf32>) outs(%y : memref<36x64xf32>)
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
    ins(%b : memref<64xf32>) outs(%y : memref<36x64xf32>) attrs = {tower.epilogue = ["bias", "relu"]} {
  ^bb0(%bias: f32, %sum: f32):
    %zero = arith.constant 0.0 : f32
    %0 = arith.addf %sum, %bias : f32
    %1 = arith.cmpf ogt, %zero, %0 : f32
    %2 = arith.select %1, %zero, %0 : f32
    linalg.yield %2 : f32
  }
  return
}

// -----

// Operands are rounded to bf16 as they are copied, which A^T then is too. VDPBF16PS multiplies two steps of k at a time;
// without it the copies hold the rounded numbers, for the kernels of f32.

// CHECK-LABEL: func.func @bf16(
// CHECK: arith.addi %{{.*}} : vector<16xi32>
// CHECK: call @tower_product_12x32_ta(
// DOT-LABEL: func.func @bf16(
// DOT: arith.truncf %{{.*}} : vector<16xf32> to vector<16xbf16>
// DOT: call @tower_product_12x32_bf16_ta(
// DOT-LABEL: func.func private @tower_product_12x32_bf16_ta(
// DOT-COUNT-96: llvm.call_intrinsic "llvm.x86.avx512bf16.dpbf16ps.512"(%{{.*}}) : (vector<16xf32>, vector<32xbf16>, vector<32xbf16>) -> vector<16xf32>
// DOT-NOT: vector.fma
func.func @bf16(%x: memref<1024x384xf32>, %dy: memref<1024x512xf32>, %dw: memref<384x512xf32>) {
  linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (k, m)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
    {tower.bf16} ins(%x, %dy : memref<1024x384xf32>, memref<1024x512xf32>) outs(%dw : memref<384x512xf32>)
  return
}
