// RUN: tower-opt %s --split-input-file --tower-kernel-phase --test-print-kernel-work -o %t | FileCheck %s

// CHECK: kernels of a step: 1 launches, 0 copies from the host
// CHECK: {{^}}  train_step_normalize_0 25 4 - - {{[0-9]+}} 16.0 k 16.0 k 34.4 k 0.01 us 0.02 us launch
// CHECK: {{^}}    normalize 16.0 k 16.0 k 34.4 k {{.*}} launch {{[0-9]+}}:8
// CHECK: H100 2.00 us 0.01 us 2.01 us 0.01 us memory 210.37
// Each of 100 x 40 elements is read and written once, though of the second 32 columns only 8 are there.
func.func @train_step(%x: tensor<100x40xf32>) -> (tensor<100x40xf32> {tower.result = "y"}) {
  %y = tower.normalize %x : tensor<100x40xf32>
  return %y : tensor<100x40xf32>
}

// -----

// A product reads its operands once, however many tiles do: 128 x 256 + 256 x 64 elements.
// CHECK: train_step_linear_0 2 8 {{[0-9]+}} - {{[0-9]+}} 197 k 32.8 k
func.func @train_step(%x: tensor<128x256xf32>, %w: tensor<256x64xf32>) -> (tensor<128x64xf32> {tower.result = "y"}) {
  %y = tower.linear %x, %w : (tensor<128x256xf32>, tensor<256x64xf32>) -> tensor<128x64xf32>
  return %y : tensor<128x64xf32>
}

// -----

// Of a table of 1,000,000 rows the 64 that are looked up count; of one of 10 rows no more than there are.
// CHECK: train_step_lookup_0_and_1_more_0 32 4 - - {{[0-9]+}} 10.{{[0-9]}} k 16.4 k 0
// CHECK: lookup 10.{{[0-9]}} k 16.4 k {{.*}}:8 {{[0-9]+}}:8
func.func @train_step(%large: tensor<1000000x32xf32>, %small: tensor<10x32xf32>, %ids: tensor<?xi32>, %rows: tensor<64xi32>)
    -> (tensor<64x32xf32> {tower.result = "a"}, tensor<64x32xf32> {tower.result = "b"}) {
  %a = tower.lookup %large, %ids[%rows] : (tensor<1000000x32xf32>, tensor<?xi32>, tensor<64xi32>) -> tensor<64x32xf32>
  %b = tower.lookup %small, %ids[%rows] : (tensor<10x32xf32>, tensor<?xi32>, tensor<64xi32>) -> tensor<64x32xf32>
  return %a, %b : tensor<64x32xf32>, tensor<64x32xf32>
}

// -----

// Three quarters of the rows are taken to be distinct, where only the device knows.
// CHECK: kernels of a step: 4 launches
// CHECK: lookup {{1[0-9]+}} k 98.3 k
func.func @train_step(%rows: tensor<1024xi32>, %table: tensor<5000x32xf32>, %ids: tensor<?xi32>)
    -> (tensor<?x32xf32, #tower.bound<1024>> {tower.result = "x"}) {
  %distinct, %inverse, %counts = tower.distinct %rows : tensor<1024xi32> -> tensor<?xi32, #tower.bound<1024>>
  %x = tower.lookup %table, %ids[%distinct] : (tensor<5000x32xf32>, tensor<?xi32>, tensor<?xi32, #tower.bound<1024>>) -> tensor<?x32xf32, #tower.bound<1024>>
  return %x : tensor<?x32xf32, #tower.bound<1024>>
}

// -----

// Two products in one launch, of 16 blocks and of one: each does its own part, 2 x 1024 x 64 x 64 and 2 x 64 x 64 x 64,
// three times over (products of tf32 parts).
// CHECK: train_step_linear_0_and_1_more_0 17 8 {{[0-9]+}} - {{.*}} 26.7 M TF32
func.func @train_step(%x: tensor<1024x64xf32>, %w: tensor<64x64xf32>, %z: tensor<64x64xf32>)
    -> (tensor<1024x64xf32> {tower.result = "a"}, tensor<64x64xf32> {tower.result = "b"}) {
  %a = tower.linear %x, %w : (tensor<1024x64xf32>, tensor<64x64xf32>) -> tensor<1024x64xf32>
  %b = tower.linear %z, %w : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  return %a, %b : tensor<1024x64xf32>, tensor<64x64xf32>
}
