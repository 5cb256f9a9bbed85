// RUN: tower-opt %s --tower-lower=gpu --canonicalize --cse --tower-form-kernels --tower-lower-kernel-products --canonicalize --tower-merge-kernels --canonicalize --cse --split-input-file | FileCheck %s

// Two activations read the same and write apart: one launch, 2 blocks for each. What needs both
// comes behind.
// CHECK: gpu.func @train_step_activate_0_and_1_more_0
// CHECK: %[[BLOCK:.*]] = gpu.block_id x
// CHECK-DAG: %[[IN0:.*]] = arith.cmpi slt, %[[BLOCK]], %c2
// CHECK-DAG: %[[FROM1:.*]] = arith.cmpi sge, %[[BLOCK]], %c2
// CHECK-DAG: %[[TO1:.*]] = arith.cmpi slt, %[[BLOCK]], %c4
// CHECK: arith.subi %[[BLOCK]], %c2
// CHECK: math.tanh
// CHECK-LABEL: func.func @train_step
// CHECK: gpu.launch_func @train_step_kernels::@train_step_activate_0_and_1_more_0 blocks in (%c4, %c1, %c1)
// CHECK: gpu.launch_func @train_step_kernels::@train_step_add_2 blocks in (%c2, %c1, %c1)
// CHECK-NOT: gpu.launch_func
func.func @train_step(%x: tensor<32x32xf32>) -> (tensor<32x32xf32> {tower.result = "y"}) {
  %a = tower.activate relu %x : tensor<32x32xf32>
  %b = tower.activate tanh %x : tensor<32x32xf32>
  %y = tower.add %a, %b : tensor<32x32xf32>
  return %y : tensor<32x32xf32>
}

// -----

// The second reads what the first writes: two launches, in their order.
// CHECK-LABEL: func.func @train_step
// CHECK: gpu.launch_func {{.*}}@train_step_activate_0 
// CHECK: gpu.launch_func {{.*}}@train_step_activate_1 
func.func @train_step(%x: tensor<16x16xf32>) -> (tensor<16x16xf32> {tower.result = "y"}) {
  %a = tower.activate relu %x : tensor<16x16xf32>
  %y = tower.activate tanh %a : tensor<16x16xf32>
  return %y : tensor<16x16xf32>
}

// -----

// A product and a loop of rows do not wait for each other, but are not merged. Two products are, and share their tiles'
// memory: a block is of one of them.
// CHECK: gpu.func @train_step_linear_0_and_1_more
// CHECK-SAME: workgroup(%{{[a-z0-9]*}} : memref<10240xf32, #gpu.address_space<workgroup>> {llvm.align = 16 : i64}) kernel
// CHECK-LABEL: func.func @train_step
// CHECK-DAG: gpu.launch_func {{.*}}@train_step_linear_0_and_1_more
// CHECK-DAG: gpu.launch_func {{.*}}@train_step_activate
// CHECK-NOT: gpu.launch_func
func.func @train_step(%x: tensor<16x16xf32>, %w: tensor<16x16xf32>) ->
    (tensor<16x16xf32> {tower.result = "a"}, tensor<16x16xf32> {tower.result = "b"}, tensor<16x16xf32> {tower.result = "c"}) {
  %a = tower.linear %x, %w : (tensor<16x16xf32>, tensor<16x16xf32>) -> tensor<16x16xf32>
  %b = tower.linear %w, %x : (tensor<16x16xf32>, tensor<16x16xf32>) -> tensor<16x16xf32>
  %c = tower.activate tanh %x : tensor<16x16xf32>
  return %a, %b, %c : tensor<16x16xf32>, tensor<16x16xf32>, tensor<16x16xf32>
}

// -----

// The first writes over what the second still reads, if the second does not come first.
// CHECK-LABEL: func.func @train_step
// CHECK: gpu.launch_func {{.*}}@train_step_activate_0 
// CHECK: gpu.launch_func {{.*}}@train_step_sgd_1 
func.func @train_step(%p: tensor<16x16xf32> {tower.argument = {kind = "tensor", name = "p"}}, %g: tensor<16x16xf32>, %f: tensor<f32>)
    -> (tensor<16x16xf32> {tower.updates = 0 : i64}, tensor<16x16xf32> {tower.result = "c"}) {
  %c = tower.activate tanh %p : tensor<16x16xf32>
  %n = tower.sgd %p, %g, %f rate(1.0) decay(0.0) : (tensor<16x16xf32>, tensor<16x16xf32>, tensor<f32>) -> tensor<16x16xf32>
  return %n, %c : tensor<16x16xf32>, tensor<16x16xf32>
}
