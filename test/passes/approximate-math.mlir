// RUN: tower-opt %s --tower-approximate-math | FileCheck %s

// CHECK-LABEL: @scalars
// CHECK-NOT: math.{{exp|log|tanh|erf}}
// CHECK: return
func.func @scalars(%x: f32) -> (f32, f32, f32, f32) {
  %0 = math.exp %x : f32
  %1 = math.log %x : f32
  %2 = math.tanh %x : f32
  %3 = math.erf %x : f32
  return %0, %1, %2, %3 : f32, f32, f32, f32
}

// CHECK-LABEL: @vectors
// CHECK-NOT: math.{{exp|log|tanh|erf}}
// CHECK: return
func.func @vectors(%x: vector<16xf32>) -> (vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>) {
  %0 = math.exp %x : vector<16xf32>
  %1 = math.log %x : vector<16xf32>
  %2 = math.tanh %x : vector<16xf32>
  %3 = math.erf %x : vector<16xf32>
  return %0, %1, %2, %3 : vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>
}

// CHECK-LABEL: @doubles_stay
// CHECK: math.exp
func.func @doubles_stay(%x: f64) -> f64 {
  %0 = math.exp %x : f64
  return %0 : f64
}
