// RUN: not tower-opt %s --tower-lower-products=vector-width=4 2>&1 | FileCheck %s

// CHECK: error: tower-lower-products: vector-width is 8 (AVX2) or 16 (AVX-512), not 4
module {}
