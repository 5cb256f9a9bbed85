// RUN: tower-opt %s --tower-lower=gpu --canonicalize --cse --tower-form-kernels --canonicalize --cse --split-input-file | FileCheck %s
// RUN: tower-opt %s --tower-lower=gpu --canonicalize --cse --split-input-file | FileCheck %s --check-prefix=MEMORY

// Rows against columns, then columns against rows: scores are in registers. Rows of both pass by in shared memory, 32 at a
// time, with a gap of four behind each, twice. A tile's columns are multiplied with the rows of queries (two depths of 8, four
// eights of columns, three products of tf32 parts), and their factors with the columns (four depths, two eights, three).
// CHECK-LABEL: gpu.func @train_step_in_batch_softmax_with_grad_0
// CHECK-SAME: workgroup(%[[SHARED:.*]] : memref<1280xf32, #gpu.address_space<workgroup>> {llvm.align = 16 : i64}) kernel attributes {tower.alone}
// CHECK: nvgpu.device_async_copy
// CHECK: scf.for
// CHECK-COUNT-24: nvvm.mma.sync
// CHECK: gpu.shuffle xor
// CHECK-COUNT-24: nvvm.mma.sync
// CHECK-NOT: nvvm.mma.sync
// CHECK: gpu.return
// CHECK: gpu.func @train_step_in_batch_softmax_with_grad_1
// CHECK-NOT: nvvm.mma.sync
// CHECK: gpu.func @train_step_in_batch_softmax_with_grad_2
// CHECK: scf.for
// CHECK-COUNT-48: nvvm.mma.sync
// CHECK-NOT: nvvm.mma.sync
// CHECK: gpu.return
// Two blocks of 64 rows.
// CHECK-LABEL: func.func @train_step
// CHECK: gpu.launch_func @train_step_kernels::@train_step_in_batch_softmax_with_grad_0 blocks in (%c2, %c1, %c1) threads in (%c32, %c4, %c1)

// MEMORY-LABEL: func.func @train_step
// MEMORY-NOT: memref<100x144xf32
// MEMORY: return
func.func @train_step(%g: tensor<f32>, %q: tensor<100x16xf32>, %x: tensor<130x16xf32>, %l: tensor<130xf32>)
    -> (tensor<f32>, tensor<100x16xf32>, tensor<130x16xf32>) {
  %loss, %dq, %dx = tower.in_batch_softmax_with_grad %g, %q, %x log_q(%l) temperature(1.0e-1)
      : (tensor<f32>, tensor<100x16xf32>, tensor<130x16xf32>, tensor<130xf32>)
      -> (tensor<f32>, tensor<100x16xf32>, tensor<130x16xf32>)
  return %loss, %dq, %dx : tensor<f32>, tensor<100x16xf32>, tensor<130x16xf32>
}

// -----

// Rows of more than 128 elements and their sums are too many registers: blocks of scores in memory.
// CHECK-LABEL: func.func @train_step
// CHECK-NOT: tower.alone
// MEMORY-LABEL: func.func @train_step
// MEMORY: memref<100x144xf32
// MEMORY-COUNT-3: linalg.matmul
func.func @train_step(%g: tensor<f32>, %q: tensor<100x136xf32>, %x: tensor<130x136xf32>)
    -> (tensor<f32>, tensor<100x136xf32>, tensor<130x136xf32>) {
  %loss, %dq, %dx = tower.in_batch_softmax_with_grad %g, %q, %x temperature(1.0e-1)
      : (tensor<f32>, tensor<100x136xf32>, tensor<130x136xf32>)
      -> (tensor<f32>, tensor<100x136xf32>, tensor<130x136xf32>)
  return %loss, %dq, %dx : tensor<f32>, tensor<100x136xf32>, tensor<130x136xf32>
}
