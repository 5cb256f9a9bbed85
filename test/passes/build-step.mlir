// RUN: tower-opt %s --tower-build-step --cse | FileCheck %s
// RUN: not tower-opt %s --tower-build-step --tower-build-step 2>&1 | FileCheck %s --check-prefix=TWICE

// TWICE: redefinition of symbol

// Tables come once, however many towers use them; default rows only where a loss masks; slots as the optimizers need.
// CHECK: tower.tensor @"table/section" parameter tensor<59x16xf32> init(normal
// CHECK-NEXT: tower.tensor @"table/section/adam/m" slot tensor<59x16xf32> init(zero)
// CHECK-NEXT: tower.tensor @"table/section/adam/v" slot
// CHECK-NEXT: tower.tensor @"table/word" parameter tensor<800x8xf32>
// CHECK-NOT: tower/query/default
// CHECK: tower.tensor @"tower/item/default/section" parameter tensor<16xf32> init(zero)
// CHECK: tower.tensor @"entity/package/size/mean" constant tensor<1xf32> init(mean) of {column = "bytes", entity = "package", scaling = "log"}
// CHECK: tower.tensor @"tower/item/layer0/weight" parameter tensor<25x32xf32> init(glorot)
// CHECK-NEXT: tower.tensor @"tower/item/layer0/weight/adagrad" slot tensor<25x32xf32> init(constant 1.000000e-01)

// CHECK-LABEL: func.func @train_step(
// CHECK-SAME: %[[TABLE:.*]]: tensor<59x16xf32> {tower.argument = {kind = "tensor", name = "table/section"}}
// One sample of pairs serves queries and items.
// CHECK: %[[PAIRS:.*]] = tower.sample_pairs
// CHECK-NOT: tower.sample_pairs
// CHECK: %[[Q:.*]] = tower.take %{{.*}}[%[[PAIRS]]]
// CHECK: %[[I:.*]] = tower.take %{{.*}}[%[[PAIRS]]]
// CHECK: tower.in_batch_softmax %{{.*}} ids(%[[I]]) log_q(%{{.*}})
// CHECK: %[[ROWS:.*]] = tower.sample_uniform %{{.*}} stream("ssl/items") : tensor<32xi32>
// CHECK: %[[MASK:.*]] = tower.feature_mask %{{.*}} count(1) stream("ssl/mask") : tensor<3xi1>
// CHECK: %[[OTHER:.*]] = tower.complement %[[MASK]]
// CHECK: %[[E1:.*]] = tower.lookup %[[TABLE]], %{{.*}}[%[[ROWS]]] unless(%[[MASK]]) feature(0)
// CHECK: %[[E2:.*]] = tower.pooled_lookup %{{.*}}[%[[ROWS]]] mean longest(20) unless(%[[MASK]]) feature(1) dropout(3.000000e-01, "ssl/1/words"
// CHECK: %[[E3:.*]] = tower.dense
// CHECK: tower.segment_linear(%[[E1]], %[[E2]], %[[E3]]) mask(%[[MASK]],
// CHECK: unless(%[[OTHER]]) feature(1) dropout(3.000000e-01, "ssl/2/words"
// All negatives: view 1 joins the columns.
// CHECK: %[[COLUMNS:.*]] = tower.stack
// CHECK: %[[IDS:.*]] = tower.stack %[[ROWS]], %[[ROWS]]
// CHECK: tower.in_batch_softmax %{{.*}}, %[[COLUMNS]] ids(%[[IDS]])
// CHECK: tower.weighted_sum %{{.*}} weights([1.000000e+00, 3.000000e-01])
// 2 x 64 + 2 x 32 rows are looked up, but the table has fewer: they bound the distinct ones.
// CHECK: %[[ROWS:.*]], %[[SUMS:.*]], %[[COUNT:.*]] = tower.sum_rows %{{.*}} : <59x16> -> tensor<59xi32>
// The norm counts the rows that are there.
// CHECK: tower.squared_norm %[[SUMS]] count(%[[COUNT]])
// CHECK: tower.clip_scale
// CHECK: tower.adam_rows
// CHECK: tower.adagrad

// CHECK-LABEL: func.func @embed_queries(
// CHECK: tower.activate gelu
// CHECK: tower.normalize
// CHECK-LABEL: func.func @embed_items(
// CHECK-NOT: feature_mask
// CHECK-LABEL: func.func @score(
// CHECK: tower.top_k

tower.model @tiny {
  tower.table @section rows(59) dim(16) init(normal 0.05)
  tower.table @word rows(800) dim(8) init(normal 0.05)
  tower.entity @package {
    tower.single_feature @section table(@section) column("section")
    tower.multi_feature @words table(@word) pooling(mean) longest(20) column("words")
    tower.dense_feature @size width(1) scaling(log_standardized) column("bytes")
  }
  tower.encoder @item entity(@package) features([@section, @words, @size]) output(normalized) {
    tower.layer 32 relu bias init(glorot)
    tower.layer 16 identity bias init(glorot)
  }
  tower.encoder @query entity(@package) features([@section, @words]) output(normalized) {
    tower.layer 16 gelu init(glorot)
  }
  tower.in_batch_softmax_loss @main query(@query) item(@item) temperature(0.1) weight(1.0) log_q remove_accidental_hits
  tower.contrastive_loss @ssl encoder(@item) items(uniform, 32) views(complementary) negatives(all) temperature(0.1) weight(0.3) mask(random, 1) dropout(0.3) remove_accidental_hits
  tower.training batch(64) tables(adam, {rate = 0.001 : f32, beta1 = 0.9 : f32, beta2 = 0.999 : f32, epsilon = 1.0e-8 : f32}) dense(adagrad, {rate = 0.05 : f32, initial = 0.1 : f32, epsilon = 1.0e-10 : f32, weight_decay = 0.0 : f32}) clip_norm(1.0)
}
