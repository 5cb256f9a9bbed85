// RUN: tower-opt %s --tower-lower=gpu --canonicalize --cse --tower-form-kernels --tower-plan-memory --tower-kernel-arguments | FileCheck %s --check-prefix=FLAT
// RUN: tower-opt %s --tower-lower=gpu --canonicalize --cse --tower-form-kernels --tower-plan-memory --tower-kernel-arguments --tower-host-program | FileCheck %s

// Pointers, and an integer where a column's length is not known.
// FLAT: gpu.func @train_step_take_0(%{{.*}}: !llvm.ptr, %{{.*}}: !llvm.ptr, %{{.*}}: i64, %{{.*}}: !llvm.ptr) kernel
// FLAT: gpu.launch_func {{.*}} args(%{{.*}} : !llvm.ptr, %{{.*}} : !llvm.ptr, %{{.*}} : i64, %{{.*}} : !llvm.ptr)

// The mask is staged, drawn, and copied; a kernel is launched by its description.
// CHECK-NOT: gpu.module
// CHECK: llvm.mlir.global internal constant @train_step_take_0_kernel_name("train_step_take_0\00")
// CHECK: llvm.mlir.global internal constant @train_step_take_0_kernel()
// CHECK: llvm.mlir.zero
// CHECK: func.func @train_step({{.*}}, %[[RUNTIME:[a-z0-9]*]]: !llvm.ptr)
// CHECK: call @tower_rt_stage(%[[RUNTIME]], %{{.*}}) : (!llvm.ptr, i64) -> !llvm.ptr
// CHECK: call @tower_rt_sample_uniform
// CHECK: call @tower_rt_upload(%[[RUNTIME]]
// CHECK: call @tower_rt_launch(%[[RUNTIME]]
func.func @train_step(%step: tensor<i64> {tower.argument = {kind = "step"}},
                      %seed: tensor<i64> {tower.argument = {kind = "seed"}},
                      %items: tensor<i64> {tower.argument = {kind = "items"}},
                      %column: tensor<?xi32>) -> (tensor<64xi32> {tower.result = "x"}) {
  %rows = tower.sample_uniform %step, %seed, %items stream("items") : tensor<64xi32>
  %x = tower.take %column[%rows] : (tensor<?xi32>, tensor<64xi32>) -> tensor<64xi32>
  return %x : tensor<64xi32>
}
