// RUN: not tower-opt %s --tower-lower-products=vector-width=4 2>&1 | FileCheck %s
// RUN: not tower-opt %s --tower-lower-products="vector-width=8 dot-bf16" 2>&1 | FileCheck %s --check-prefix=DOT

// CHECK: error: tower-lower-products: vector-width is 8 (AVX2) or 16 (AVX-512), not 4
// DOT: error: tower-lower-products: dot-bf16 needs vector-width=16 (AVX-512)
module {}
