// RUN: tower-opt %s --tower-lower --split-input-file --verify-diagnostics

func.func @read_later(%p: tensor<16xf32>, %g: tensor<16xf32>, %factor: tensor<f32>)
    -> (tensor<16xf32> {tower.updates = 0 : i64}, tensor<16xf32> {tower.result = "y"}) {
  // expected-error @below {{updates argument 0 in place, but its old value is read later}}
  %new = tower.sgd %p, %g, %factor rate(1.0e-1) decay(0.0) : (tensor<16xf32>, tensor<16xf32>, tensor<f32>) -> tensor<16xf32>
  // expected-note @below {{it is read here}}
  %y = tower.scale %p by(2.0) : tensor<16xf32>
  return %new, %y : tensor<16xf32>, tensor<16xf32>
}

// -----

func.func @not_differentiated(%z: tensor<8x32xf32>) -> (tensor<8x32xf32> {tower.result = "dz"}) {
  %loss = tower.spread_out %z : tensor<8x32xf32>
  // expected-error @below {{needs --tower-differentiate before --tower-lower}}
  %dz = tower.gradient %loss wrt(%z) : (tensor<f32>, tensor<8x32xf32>) -> tensor<8x32xf32>
  return %dz : tensor<8x32xf32>
}

// -----

func.func @too_few_rows(%ids: tensor<?xi32>, %rows: tensor<8xi32>, %g: tensor<8x16xf32>) -> (tensor<i64> {tower.result = "n"}) {
  %d = tower.row_gradient %g, %ids[%rows] : (tensor<8x16xf32>, tensor<?xi32>, tensor<8xi32>) -> !tower.row_gradient<59x16>
  // expected-error @below {{has room for 7 distinct rows, but there may be 8}}
  %r, %v, %n = tower.sum_rows %d : !tower.row_gradient<59x16> -> tensor<7xi32>, tensor<7x16xf32>, tensor<i64>
  return %n : tensor<i64>
}

// -----

func.func @kept(%q: tensor<?x32xf32>, %x: tensor<?x32xf32>, %offsets: tensor<?xi64>, %rows: tensor<?xi32>) {
  // expected-error @below {{must be what its function returns: sizes known at run time are the caller's}}
  %scores, %best = tower.top_k %q, %x exclude(%offsets, %rows)
    : (tensor<?x32xf32>, tensor<?x32xf32>, tensor<?xi64>, tensor<?xi32>) -> (tensor<?x?xf32>, tensor<?x?xi32>)
  return
}

// -----

// expected-error @below {{result 0 cannot update argument 1}}
func.func @wrong_update(%p: tensor<16xf32>, %q: tensor<8xf32>) -> (tensor<16xf32> {tower.updates = 1 : i64}) {
  %y = tower.scale %p by(2.0) : tensor<16xf32>
  return %y : tensor<16xf32>
}
