// RUN: tower-opt %s --tower-lower=gpu --canonicalize --cse --tower-form-kernels --tower-lower-kernel-products --canonicalize --cse --split-input-file | FileCheck %s

// 130 x 70 is 3 x 2 tiles. A tile's rows of A and of B come to shared memory 16 at a time, between barriers; what lies
// behind an edge counts as zero. Each thread sums 4 x 4 elements, adds the bias, and takes what is positive.
// CHECK-LABEL: gpu.func @train_step_linear_0
// CHECK-SAME: workgroup(%[[A:.*]] : memref<16x65xf32, #gpu.address_space<workgroup>>, %[[B:.*]] : memref<16x65xf32, #gpu.address_space<workgroup>>) kernel
// CHECK: scf.for %{{.*}} = %{{.*}} to %c6 step
// CHECK: scf.for %{{.*}} = %c0 to %c33 step %c16
// CHECK: scf.if {{.*}} -> (f32)
// CHECK: memref.store %{{.*}}, %[[A]]
// CHECK: memref.store %{{.*}}, %[[B]]
// CHECK: gpu.barrier
// CHECK-COUNT-256: math.fma
// CHECK: gpu.barrier
// CHECK: scf.yield
// CHECK: scf.if
// CHECK: arith.addf
// CHECK: arith.cmpf olt
// CHECK: memref.store
// CHECK-NOT: linalg
// CHECK-LABEL: func.func @train_step
// CHECK: gpu.launch_func {{.*}} blocks in (%c6, %c1, %c1) threads in (%c32, %c8, %c1)
func.func @train_step(%x: tensor<130x33xf32>, %w: tensor<33x70xf32>, %b: tensor<70xf32>)
    -> (tensor<130x70xf32> {tower.result = "y"}) {
  %y = tower.linear %x, %w bias(%b) relu : (tensor<130x33xf32>, tensor<33x70xf32>, tensor<70xf32>) -> tensor<130x70xf32>
  return %y : tensor<130x70xf32>
}

// -----

// Products amid a warp's other work are summed by its lanes: no shared memory.
// CHECK-LABEL: gpu.func @score_top_k
// CHECK-NOT: workgroup
// CHECK: math.fma
// CHECK-NOT: gpu.barrier
// CHECK-LABEL: func.func @score
func.func @score(%q: tensor<?x8xf32>, %c: tensor<?x8xf32>, %o: tensor<?xi64>, %r: tensor<?xi32>)
    -> (tensor<?x?xf32> {tower.result = "scores"}, tensor<?x?xi32> {tower.result = "rows"}) {
  %s, %rows = tower.top_k %q, %c exclude(%o, %r)
      : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?xi64>, tensor<?xi32>) -> (tensor<?x?xf32>, tensor<?x?xi32>)
  return %s, %rows : tensor<?x?xf32>, tensor<?x?xi32>
}
