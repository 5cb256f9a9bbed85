// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every pass of towerc: what it does, an example before and after, and what it does not promise.
#ifndef TOWER_PASSES
#define TOWER_PASSES

include "mlir/Pass/PassBase.td"

def BuildStep : Pass<"tower-build-step", "mlir::ModuleOp"> {
  let summary = "Write a declared model out as dataflow";
  let description = [{
    Adds to a module that holds one tower.model: a tower.tensor for everything that is kept between steps (parameters,
    slots, constants), and four functions. `@train_step` samples, masks, looks up, encodes, evaluates the losses, asks for
    their gradient and updates the parameters; `@embed_queries` and `@embed_items` embed 256 rows; `@score` keeps the best
    k items of a catalogue. Arguments and results say in attributes what they are (docs/Manifest.md). Every op has the
    location of the part of the spec that it comes from. The model stays: it is what the functions were made from.

    Before:
    ```mlir
    tower.encoder @item entity(@package) features([@section]) output(normalized) { tower.layer 32 relu init(glorot) }
    ```
    After, among others:
    ```mlir
    func.func @embed_items(%table: tensor<59x16xf32>, %w: tensor<16x32xf32>, %ids: tensor<?xi32>, %rows: tensor<256xi32>) -> tensor<256x32xf32> {
      %e = tower.lookup %table, %ids[%rows] : (tensor<59x16xf32>, tensor<?xi32>, tensor<256xi32>) -> tensor<256x16xf32>
      %y = tower.segment_linear(%e) weight(%w) : (tensor<256x16xf32>, tensor<16x32xf32>) -> tensor<256x32xf32>
      %a = tower.activate relu %y : tensor<256x32xf32>
      %z = tower.normalize %a : tensor<256x32xf32>
      return %z : tensor<256x32xf32>
    }
    ```
  }];
  let dependentDialects = ["mlir::func::FuncDialect", "tower::TowerDialect"];
}

def Differentiate : Pass<"tower-differentiate"> {
  let summary = "Replace tower.gradient by the backward pass";
  let description = [{
    Walks from the loss back to the parameters. Each op on the way states its adjoint in tower ops (interface
    Differentiable); contributions to one value are added, those to one table merged. What does not depend on a parameter
    is left out. An op on the way without an adjoint is an error.

    Before:
    ```mlir
    %loss = tower.spread_out %z : tensor<8x32xf32>
    %dz = tower.gradient %loss wrt(%z) : (tensor<f32>, tensor<8x32xf32>) -> tensor<8x32xf32>
    ```
    After:
    ```mlir
    %loss = tower.spread_out %z : tensor<8x32xf32>
    %one = tower.one : tensor<f32>
    %dz = tower.spread_out_grad %one, %z : tensor<8x32xf32>
    ```
    Work that other ops make useless (a gradient of one operand that nobody asked for) is left to CSE and dead code
    elimination.
  }];
  let dependentDialects = ["tower::TowerDialect"];
}

def DistinctRows : Pass<"tower-distinct-rows"> {
  let summary = "Run an encoder once for equal rows of a batch";
  let description = [{
    An encoder whose rows are those of the batch's pairs, and that draws nothing for each row, runs on their distinct rows:
    as many as there are in the step, in memory for all of them (#tower.bound). tower.expand_rows brings embeddings to all
    rows. An in-batch softmax over the batch's items takes the distinct ones as columns, each with how often it was drawn:
    `log c_u` joins its scores, but for copies of a row's own positive where accidental hits are removed; the loss is the
    same. Then equal queries are one row too, with all their pairs. Runs before differentiation, which then sums the
    gradients of equal rows. Declines for uniform samples, under value dropout, for small encoders, and for layers that
    something is added to, as projected vocabularies are.

    Before:
    ```mlir
    %e = tower.lookup %table, %ids[%rows]
    %x = tower.segment_linear(%e) weight(%w)
    %loss, %lse = tower.in_batch_softmax %q, %x ids(%rows) temperature(1.0e-1)
    ```
    After:
    ```mlir
    %d, %inverse, %counts = tower.distinct %rows : tensor<1024xi32> -> tensor<?xi32, #tower.bound<1024>>
    %e = tower.lookup %table, %ids[%d]
    %x = tower.segment_linear(%e) weight(%w)
    %loss, %lse = tower.in_batch_softmax %q, %x ids(%d) positives(%inverse) counts(%counts) temperature(1.0e-1)
    ```
  }];
  let options = [Option<"always", "always", "bool", "false",
                        "Rewrite wherever it is right, whatever it costs: for tests on small models">];
}

def BatchTowers : Pass<"tower-batch-towers"> {
  let summary = "Run layers of one weight over all their inputs at once";
  let description = [{
    Several tower.linear of one weight and bias become one over the stack of their inputs, with what follows on each alike
    (activation, normalization); tower.unstack gives the parts back. The first layer of a tower is not a tower.linear. Runs
    before differentiation. Declines for a weight with one application, and where rows are counted at run time.

    Before:
    ```mlir
    %a = tower.linear %x, %w bias(%b)
    %c = tower.linear %y, %w bias(%b)
    ```
    After:
    ```mlir
    %xy = tower.stack %x, %y
    %ac = tower.linear %xy, %w bias(%b)
    %a, %c = tower.unstack %ac
    ```
  }];
}

def ProjectVocabularies : Pass<"tower-project-vocabularies"> {
  let summary = "Look small vocabularies up behind the first layer";
  let description = [{
    A looked-up feature of few rows leaves the segments of a first layer: tower.project multiplies its table with its part of
    the weight once, and the layer adds looked-up rows of the products to the product of its other features. The weight is
    taken apart for that. One projection serves all layers of one weight. Runs before differentiation; the table's
    gradient keeps to the rows that occur. Results are rounded otherwise. Declines where moving rows as wide as the layer
    costs more than the smaller product saves, which on a GPU it mostly does, for a layer's last feature, and for layers
    under a mask, which leave features out already.

    Before:
    ```mlir
    %e = tower.lookup %table, %ids[%rows]
    %y = tower.segment_linear(%e, %x) weight(%w) bias(%b)
    ```
    After:
    ```mlir
    %of_e, %of_x = tower.unstack %w
    %products = tower.project %table, %of_e
    %p = tower.lookup %products, %ids[%rows]
    %y = tower.segment_linear(%x) weight(%of_x) bias(%b) onto(%p)
    ```
  }];
  let options = [Option<"always", "always", "bool", "false",
                        "Rewrite wherever it is right, whatever it costs: for tests on small models">,
                 Option<"gpu", "gpu", "bool", "false", "Count as on a GPU, whose products are fast beside its memory">];
}

def SkipMasked : Pass<"tower-skip-masked"> {
  let summary = "Multiply only the features that a mask leaves visible";
  let description = [{
    Sets `skip_masked` on the first layer of a view, on its weight's gradient and on its segments' gradients, where moving
    the visible rows of the weight together costs less than the product saves; how many are visible is taken from the op
    that draws the mask. A masked feature enters as its default row times its part of the weight, once for the batch. Two
    complementary views then cost one first layer. Declines for small batches, and for gradients whose zeros are read.

    Before:
    ```mlir
    %y = tower.segment_linear(%x0, %x1, %x2) mask(%m, %d0, %d1, %d2) weight(%w) bias(%b)
    ```
    After:
    ```mlir
    %y = tower.segment_linear(%x0, %x1, %x2) mask(%m, %d0, %d1, %d2) skip_masked weight(%w) bias(%b)
    ```
  }];
}

def FuseLosses : Pass<"tower-fuse-losses"> {
  let summary = "Compute a softmax loss and its gradients from one set of scores";
  let description = [{
    An in-batch softmax (or contrastive) loss and its gradients need the same scores. What is derived from a loss but its
    weight does not depend on its value, so both can be computed where the loss is: per block of rows the scores, their
    softmax in place, and two products with it. A product of four less. Runs after differentiation. Declines where
    the gradient's scale depends on the loss, and for a loss without gradients.

    Before:
    ```mlir
    %loss, %lse = tower.in_batch_softmax %q, %x temperature(1.0e-1)
    %dq, %dx = tower.in_batch_softmax_grad %g, %lse, %q, %x temperature(1.0e-1)
    ```
    After:
    ```mlir
    %loss, %dq, %dx = tower.in_batch_softmax_with_grad %g, %q, %x temperature(1.0e-1)
    ```
  }];
}

def FuseEpilogues : Pass<"tower-fuse-epilogues"> {
  let summary = "Draw ReLU, its derivative and sums of gradients into products";
  let description = [{
    tower.activate relu becomes part of the layer before it, tower.activate_grad relu part of the product that gave its
    gradient, and tower.add of a product continues the other summand. Declines where something else reads the product,
    and for tanh and gelu.

    Before:
    ```mlir
    %y = tower.linear %x, %w bias(%b)
    %a = tower.activate relu %y
    %dw = tower.matmul transpose_lhs %x, %dy
    %sum = tower.add %other, %dw
    ```
    After:
    ```mlir
    %a = tower.linear %x, %w bias(%b) relu
    %sum = tower.matmul transpose_lhs %x, %dy onto(%other)
    ```
  }];
}

def FuseUpdates : Pass<"tower-fuse-updates"> {
  let summary = "Sum the gradient of a table's row and update the row at once";
  let description = [{
    An optimizer of summed rows takes the row gradient itself, so that tower.sum_rows and its values go. Declines with
    clipping, whose norm needs all sums first, and where something else reads the sums.

    Before:
    ```mlir
    %rows, %values, %count = tower.sum_rows %g : <59x8> -> tensor<40xi32>, tensor<40x8xf32>, tensor<i64>
    %new = tower.sgd_rows %p rows(%rows, %values, %count), %factor rate(5.0e-2)
    ```
    After:
    ```mlir
    %new = tower.sgd_rows %p gradient(%g), %factor rate(5.0e-2)
    ```
  }];
}

def Recompute : Pass<"tower-recompute"> {
  let summary = "Compute values again in the backward pass that a budget of memory has no room for";
  let description = [{
    With a budget, in bytes of a step's arena (parameters, slots and the data are not in it). While the estimated peak of a
    function that updates its arguments exceeds it, some value that is in memory at the peak without being read there is
    computed again behind the peak: each time the one that takes most bytes from it for the time that its ops take.
    Lookups, pooling, activations, normalization, stacks and rows brought back from distinct ones come first; layers if
    those are not enough. Clones precede the first update, so that they read the tables of this step. Declines without a
    budget, within it, and where no clone lowers what exceeds it; whether the step fits is seen when it is planned.

    Before:
    ```mlir
    %e = tower.lookup %table, %ids[%rows]
    %y = tower.segment_linear(%e, %x) weight(%w) relu
    ... // the peak of memory
    %dw = tower.segment_weight_grad(%e, %x) gradient(%dy)
    ```
    After:
    ```mlir
    %e = tower.lookup %table, %ids[%rows]
    %y = tower.segment_linear(%e, %x) weight(%w) relu
    ...
    %again = tower.lookup %table, %ids[%rows]
    %dw = tower.segment_weight_grad(%again, %x) gradient(%dy)
    ```
  }];
  let options = [Option<"budget", "budget", "int64_t", "0", "Bytes that the arena may have; 0: any number">];
}

def ApproximateMath : Pass<"tower-approximate-math"> {
  let summary = "Replace math.exp, log, tanh and erf on f32 by polynomials";
  let description = [{
    The default lowering of these operations calls libm once for every element. Polynomials vectorize, and leave
    the generated object free of imports. They apply to scalars and vectors of f32, other types are left alone.
    The error is below 3e-7, relative to the exact result (absolute for tanh and erf); test/unit/ApproximateMathTest.cpp
    measures it. Numbers below the smallest normal one (1.2e-38) are not told apart: exp of less than -87.3 is 0 or
    tiny, log of less than 1.2e-38, but not of 0, is about -87.3.
  }];
  let dependentDialects = ["mlir::arith::ArithDialect", "mlir::math::MathDialect", "mlir::vector::VectorDialect"];
}

def FormKernels : Pass<"tower-form-kernels", "mlir::ModuleOp"> {
  let summary = "Cut functions of warps' loops into kernels and a host program";
  let description = [{
    Takes the functions that `tower-lower{gpu}` made. Each scf.parallel becomes a kernel with a warp for each iteration,
    each product one with a block for each tile (`tower-lower-kernel-products`), and what lies between them and touches
    memory one of a single warp. Kernels are gpu.func in one gpu.module for each function; where they stood is a
    gpu.launch_func. Loops around kernels stay on the host where their bounds are constants; a condition around kernels
    goes into each of them.

    A value that only a kernel knows, as the number of distinct rows, goes through memory to the kernels that need it.
    Views and arithmetic are made again where they are used. What the host draws (sampled rows, masks) and the scalars
    that it gives (step, seed, rate) are copied to the device with gpu.memcpy before anything reads them.
  }];
  let dependentDialects = ["mlir::arith::ArithDialect", "mlir::gpu::GPUDialect", "mlir::memref::MemRefDialect",
                           "mlir::scf::SCFDialect"];
}

def LowerKernelProducts : Pass<"tower-lower-kernel-products", "mlir::ModuleOp"> {
  let summary = "Turn linalg.matmul in kernels into tiles in shared memory";
  let description = [{
    A kernel that is one product becomes a loop over tiles of C of 128 x 128, 128 x 64 or 64 x 64, as few as keep every
    multiprocessor busy. A block of 256 threads copies 16 columns of A and rows of B at a time to one half of its shared
    memory, asynchronously, while its warps multiply what is in the other half with mma.sync; what is behind an edge is
    zero. f32 is multiplied as the sum of three products of tf32 parts, with `tower.bf16` after rounding. Extents are
    read where they are known, in the kernel. Bias, ReLU and gate are applied before four elements are stored at once.
    A product amid other code of a warp is summed by that warp with FMA, a column for each lane: there the rows are few
    and no block shares them.
  }];
  let dependentDialects = ["mlir::LLVM::LLVMDialect", "mlir::NVVM::NVVMDialect", "mlir::arith::ArithDialect",
                           "mlir::gpu::GPUDialect", "mlir::memref::MemRefDialect", "mlir::nvgpu::NVGPUDialect",
                           "mlir::scf::SCFDialect", "mlir::vector::VectorDialect"];
}

def KernelArguments : Pass<"tower-kernel-arguments", "mlir::ModuleOp"> {
  let summary = "Pass pointers and integers to kernels";
  let description = [{
    A memref that a kernel gets becomes its pointer and an i64 for each extent that is not static; an index becomes an
    i64. All of them are 8 bytes, for every form of the kernel.
  }];
  let dependentDialects = ["mlir::LLVM::LLVMDialect", "mlir::arith::ArithDialect", "mlir::memref::MemRefDialect"];
}

def HostProgram : Pass<"tower-host-program", "mlir::ModuleOp"> {
  let summary = "Turn launches and copies into calls of the runtime";
  let description = [{
    For functions behind `tower-plan-memory`. Each gets the runtime as a last argument; gpu.launch_func becomes
    `tower_rt_launch` with a constant that names the kernel, gpu.memcpy `tower_rt_upload`, and memory of the host
    `tower_rt_stage`. Modules of kernels are dropped: they were compiled before.
  }];
  let dependentDialects = ["mlir::LLVM::LLVMDialect", "mlir::arith::ArithDialect", "mlir::func::FuncDialect"];
}

def MergeKernels : Pass<"tower-merge-kernels", "mlir::ModuleOp"> {
  let summary = "Make one launch of kernels that do not wait for each other";
  let description = [{
    Each launch goes to the first level at which all that it reads is written, and nothing reads any more what it
    overwrites. The kernels of a level become one, each with its share of the blocks; products are merged with products
    alone, whose blocks have more registers. Memory marked `tower.parts` is written in different parts by all that only
    write to it; loops of one `tower.group` do not touch what the others touch.
  }];
  let dependentDialects = ["mlir::arith::ArithDialect", "mlir::gpu::GPUDialect", "mlir::scf::SCFDialect"];
}

def LowerProducts : Pass<"tower-lower-products", "mlir::ModuleOp"> {
  let summary = "Generate code for dense products of f32";
  let description = [{
    Each linalg.matmul on memrefs of f32 whose rows are contiguous, with either operand transposed or not, becomes:
    packing of B into panels, a grid of pieces of C (an scf.parallel, if the product is large enough), blocked loops,
    and calls of micro-kernels, private functions shared by all products. `tower.overwrite` on the operation means
    C = A B, else C += A B. Sizes may be dynamic; no element outside the operands is read. An epilogue behind the product
    (`tower.epilogue`, see passes/Products.h) is applied to C in registers.

    `tower.bf16` on the operation: copies of A and B hold bf16, rounded to the nearest, which is multiplied and summed in
    f32. With `dot-bf16` VDPBF16PS does so, two steps of k at a time; else the copies hold the rounded values as f32, for
    the same kernels as without.

    Every element of C is one chain of fused multiply-adds in the order of k: neither blocking nor the order in which
    pieces run changes a bit. Pieces depend on the product's size alone.

    Scratch of a product is a memref.alloc of static size, for a later pass to place; it is not deallocated. Scratch of
    a piece is a memref.alloca. Inside an scf.parallel a product stays sequential and all its scratch is on the stack.
    Other products become plain loops. Products on tensors are left alone.

    Before:
    ```mlir
    linalg.matmul {tower.overwrite} ins(%x, %w : memref<1024x344xf32>, memref<344x512xf32>)
                                    outs(%y : memref<1024x512xf32>)
    ```
    After, in outline:
    ```mlir
    %packed = memref.alloc() {alignment = 64 : i64} : memref<176128xf32>
    scf.parallel (%p) = (%c0) to (%c6) step (%c1) { /* copy panels of %w to %packed */ }
    scf.parallel (%p) = (%c0) to (%c16) step (%c1) {
      %rows = memref.alloca() {alignment = 64 : i64} : memref<50688xf32>
      scf.for ... { /* copy rows of %x to %rows */ scf.for ... { scf.for ... { func.call @tower_product_12x32(...) } } }
    }
    ```
  }];
  let options = [
    Option<"vectorWidth", "vector-width", "int64_t", "16",
           "f32 elements of a vector register: 16 (AVX-512) or 8 (AVX2)">,
    Option<"dotBf16", "dot-bf16", "bool", "false", "The processor multiplies bf16 itself (AVX512_BF16)">,
    Option<"copyTransposed", "copy-transposed", "bool", "false",
           "Copy a transposed A of large products with AVX-512, too: its rows' short pieces come too slowly">
  ];
  let dependentDialects = ["mlir::arith::ArithDialect", "mlir::func::FuncDialect", "mlir::linalg::LinalgDialect",
                           "mlir::LLVM::LLVMDialect", "mlir::memref::MemRefDialect", "mlir::scf::SCFDialect",
                           "mlir::vector::VectorDialect"];
}

def LowerTower : Pass<"tower-lower", "mlir::ModuleOp"> {
  let summary = "Turn tower ops on tensors into loops over memory";
  let description = [{
    Each function of tower ops becomes one over memrefs of identity layout: its arguments, then memory for each result
    that is not an update. A result with `tower.updates = N` is written to argument N itself; an op that reads the old
    value afterwards is an error. Every other value has a memref.alloc of its own, for `tower-plan-memory` to place.

    Work over rows is cut into pieces by its size alone (an scf.parallel over pieces, each a range of rows), so that
    sums have one order for any number of threads. Loops along a row work on vector<16xf32>. Products become
    linalg.matmul on memrefs, for `tower-lower-products`; sampling becomes calls of the runtime.

    A row gradient never exists: tower.sum_rows reads what lookups contribute where they are defined.

    Before:
    ```mlir
    func.func @f(%x: tensor<8x16xf32>) -> (tensor<8x16xf32> {tower.result = "y"}) {
      %y = tower.activate relu %x : tensor<8x16xf32>
      return %y : tensor<8x16xf32>
    }
    ```
    After:
    ```mlir
    func.func @f(%x: memref<8x16xf32>, %y: memref<8x16xf32> {tower.result = "y"}) {
      scf.for %i = %c0 to %c128 step %c16 {
        /* vector.load from %x, arith.cmpf, arith.select, vector.store to %y */
      }
      return
    }
    ```
  }];
  let options = [Option<"gpu", "gpu", "bool", "false",
                        "loops for warps of a GPU: a row is a warp, its columns are lanes">,
                 Option<"chain", "chain", "int64_t", "tower::kGpuChain",
                        "rows that a GPU's warp sums one after the other where other warps can take some">];
  let dependentDialects = ["mlir::LLVM::LLVMDialect", "mlir::NVVM::NVVMDialect", "mlir::arith::ArithDialect",
                           "mlir::func::FuncDialect", "mlir::gpu::GPUDialect",
                           "mlir::linalg::LinalgDialect", "mlir::math::MathDialect", "mlir::memref::MemRefDialect",
                           "mlir::nvgpu::NVGPUDialect", "mlir::scf::SCFDialect", "mlir::vector::VectorDialect"];
}

def PlanMemory : Pass<"tower-plan-memory", "mlir::ModuleOp"> {
  let summary = "Give every allocation of an entry function a fixed place in one arena";
  let description = [{
    Each public function gets the arena as its last argument, a memref of i8, and its size as `tower.arena_bytes`. An
    allocation becomes a memref.view at a constant offset. Buffers that are in use at the same time never overlap; one
    that is used within a loop is in use through all of the outermost loop. Offsets are multiples of 64 bytes.

    An allocation that cannot be placed is an error: of dynamic size, in a parallel loop, or in a private function.

    Before:
    ```mlir
    func.func @f(%x: memref<8xf32>) {
      %a = memref.alloc() : memref<8xf32>
      ...
    }
    ```
    After:
    ```mlir
    func.func @f(%x: memref<8xf32>, %arena: memref<64xi8>) attributes {tower.arena_bytes = 64 : i64} {
      %a = memref.view %arena[%c0][] : memref<64xi8> to memref<8xf32>
      ...
    }
    ```
  }];
  let dependentDialects = ["mlir::arith::ArithDialect", "mlir::memref::MemRefDialect"];
}

def OutlineParallel : Pass<"tower-outline-parallel", "mlir::ModuleOp"> {
  let summary = "Make the body of each parallel loop a function that threads call";
  let description = [{
    Each public function gets the runtime as its last argument. An scf.parallel over pieces becomes a call of
    tower_rt_parallel with a private function and a frame on the stack that holds what the body uses; constants and
    subviews are made again in the body. Loops that do the same on other buffers share one function.

    Before:
    ```mlir
    func.func @f(%x: memref<8xf32>) {
      scf.parallel (%p) = (%c0) to (%c4) step (%c1) { use(%x, %p) }
      return
    }
    ```
    After:
    ```mlir
    func.func private @tower_piece_0_loop(%frame: !llvm.ptr, %piece: i64) {
      /* %x from the frame */ use(%x, %piece)
      return
    }
    func.func @f(%x: memref<8xf32>, %runtime: !llvm.ptr) {
      /* %x into the frame */
      call @tower_rt_parallel(%runtime, %body, %frame, %c4) : (!llvm.ptr, !llvm.ptr, !llvm.ptr, i64) -> ()
      return
    }
    ```
  }];
  let dependentDialects = ["mlir::LLVM::LLVMDialect", "mlir::arith::ArithDialect", "mlir::func::FuncDialect",
                           "mlir::memref::MemRefDialect"];
}

def MakeEntryPoints : Pass<"tower-make-entry-points", "mlir::ModuleOp"> {
  let summary = "Add entry points with the C signature of runtime/tower_abi.h";
  let description = [{
    For each planned and outlined function @NAME an `i32 @NAME_entry(const tower_call *)` that takes buffers, extents,
    arena and runtime out of the call. All other functions become internal to the object. The declared model and its
    tensors are dropped: the manifest has them.

    Before:
    ```mlir
    func.func @f(%x: memref<?xf32>, %arena: memref<64xi8>, %runtime: !llvm.ptr) attributes {tower.arena_bytes = 64 : i64}
    ```
    After, besides:
    ```mlir
    llvm.func @f_entry(%call: !llvm.ptr) -> i32 { /* loads, a call of @f */ llvm.return %ok : i32 }
    ```
  }];
  let dependentDialects = ["mlir::LLVM::LLVMDialect", "mlir::func::FuncDialect"];
}

#endif
