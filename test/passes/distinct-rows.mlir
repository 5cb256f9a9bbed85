// RUN: tower-opt %s --tower-distinct-rows --cse --remark-format=emitRemark --remarks-filter=.* 2>&1 | FileCheck %s --check-prefix=WHY
// RUN: tower-opt %s --tower-distinct-rows --cse | FileCheck %s

// Rows of pairs: the encoder runs on the distinct ones, which are the softmax's columns.
// WHY: remark: [Passed] tower.segment_linear | Category:tower-distinct-rows {{.*}}runs on the distinct rows of the batch
// WHY: remark: [Passed] tower.in_batch_softmax {{.*}}has the distinct items as columns
// CHECK-LABEL: func.func @items
// CHECK: %[[ROWS:.*]] = tower.take %{{.*}}[%arg
// CHECK: %[[D:.*]], %[[INVERSE:.*]], %[[COUNTS:.*]] = tower.distinct %[[ROWS]] : tensor<64xi32> -> tensor<?xi32, #tower.bound<64>>
// CHECK: %[[E:.*]] = tower.lookup %{{.*}}[%[[D]]]
// CHECK: %[[Y:.*]] = tower.segment_linear(%[[E]]) {{.*}} -> tensor<?x64xf32, #tower.bound<64>>
// CHECK: %[[X:.*]] = tower.normalize %[[Y]]
// CHECK: %[[Q:.*]] = tower.take %{{.*}}[%[[D]]]
// CHECK: tower.in_batch_softmax %{{.*}}, %[[X]] ids(%[[D]]) log_q(%[[Q]]) positives(%[[INVERSE]]) counts(%[[COUNTS]])
func.func @items(%places: tensor<64xi32>, %pairs: tensor<?xi32>, %table: tensor<500x512xf32>, %ids: tensor<?xi32>, %w: tensor<512x64xf32>,
                 %q: tensor<64x64xf32>, %log: tensor<?xf32>) -> tensor<f32> {
  %rows = tower.take %pairs[%places] : (tensor<?xi32>, tensor<64xi32>) -> tensor<64xi32>
  %e = tower.lookup %table, %ids[%rows] : (tensor<500x512xf32>, tensor<?xi32>, tensor<64xi32>) -> tensor<64x512xf32>
  %y = tower.segment_linear(%e) weight(%w) : (tensor<64x512xf32>, tensor<512x64xf32>) -> tensor<64x64xf32>
  %x = tower.normalize %y : tensor<64x64xf32>
  %l = tower.take %log[%rows] : (tensor<?xf32>, tensor<64xi32>) -> tensor<64xf32>
  %loss, %lse = tower.in_batch_softmax %q, %x ids(%rows) log_q(%l) temperature(1.0e-1)
    : (tensor<64x64xf32>, tensor<64x64xf32>, tensor<64xi32>, tensor<64xf32>) -> (tensor<f32>, tensor<64xf32>)
  return %loss : tensor<f32>
}

// Queries too: equal ones are one row of the softmax.
// WHY: remark: [Passed] tower.segment_linear
// WHY: remark: [Passed] tower.segment_linear
// WHY: remark: [Passed] tower.in_batch_softmax {{.*}}has the distinct items as columns
// CHECK-LABEL: func.func @queries
// CHECK: %[[ASKED:.*]], %[[ROWS:.*]], %{{.*}} = tower.distinct
// CHECK: %[[Q:.*]] = tower.segment_linear
// CHECK: %[[D:.*]], %[[INVERSE:.*]], %[[COUNTS:.*]] = tower.distinct
// CHECK: %[[X:.*]] = tower.segment_linear
// CHECK: tower.in_batch_softmax %[[Q]], %[[X]] positives(%[[INVERSE]]) counts(%[[COUNTS]]) query_rows(%[[ROWS]])
// CHECK-SAME: -> (tensor<f32>, tensor<64xf32>)
func.func @queries(%places: tensor<64xi32>, %queries: tensor<?xi32>, %items: tensor<?xi32>, %table: tensor<500x512xf32>, %ids: tensor<?xi32>,
                   %w: tensor<512x64xf32>) -> tensor<f32> {
  %asked = tower.take %queries[%places] : (tensor<?xi32>, tensor<64xi32>) -> tensor<64xi32>
  %a = tower.lookup %table, %ids[%asked] : (tensor<500x512xf32>, tensor<?xi32>, tensor<64xi32>) -> tensor<64x512xf32>
  %q = tower.segment_linear(%a) weight(%w) : (tensor<64x512xf32>, tensor<512x64xf32>) -> tensor<64x64xf32>
  %rows = tower.take %items[%places] : (tensor<?xi32>, tensor<64xi32>) -> tensor<64xi32>
  %e = tower.lookup %table, %ids[%rows] : (tensor<500x512xf32>, tensor<?xi32>, tensor<64xi32>) -> tensor<64x512xf32>
  %x = tower.segment_linear(%e) weight(%w) : (tensor<64x512xf32>, tensor<512x64xf32>) -> tensor<64x64xf32>
  %loss, %lse = tower.in_batch_softmax %q, %x temperature(1.0e-1)
    : (tensor<64x64xf32>, tensor<64x64xf32>) -> (tensor<f32>, tensor<64xf32>)
  return %loss : tensor<f32>
}

// Where columns stay pairs, so do rows.
// WHY: remark: [Passed] tower.segment_linear
// CHECK-LABEL: func.func @rows_of_pairs
// CHECK: %[[ALL:.*]] = tower.expand_rows
// CHECK: tower.in_batch_softmax %[[ALL]], %{{.*}} temperature
func.func @rows_of_pairs(%places: tensor<64xi32>, %queries: tensor<?xi32>, %table: tensor<500x512xf32>, %ids: tensor<?xi32>,
                         %w: tensor<512x64xf32>, %x: tensor<64x64xf32>) -> tensor<f32> {
  %asked = tower.take %queries[%places] : (tensor<?xi32>, tensor<64xi32>) -> tensor<64xi32>
  %a = tower.lookup %table, %ids[%asked] : (tensor<500x512xf32>, tensor<?xi32>, tensor<64xi32>) -> tensor<64x512xf32>
  %q = tower.segment_linear(%a) weight(%w) : (tensor<64x512xf32>, tensor<512x64xf32>) -> tensor<64x64xf32>
  %loss, %lse = tower.in_batch_softmax %q, %x temperature(1.0e-1)
    : (tensor<64x64xf32>, tensor<64x64xf32>) -> (tensor<f32>, tensor<64xf32>)
  return %loss : tensor<f32>
}

// A softmax that tells positives of one query apart has pairs as columns; the encoder runs once all the same.
// WHY: remark: [Passed] tower.segment_linear
// WHY: remark: [Missed] tower.in_batch_softmax {{.*}}positives of one query are told apart by pairs, not by distinct items
// CHECK-LABEL: func.func @same_query
// CHECK: %[[ALL:.*]] = tower.expand_rows
// CHECK: tower.in_batch_softmax %{{.*}}, %[[ALL]] query_ids
func.func @same_query(%places: tensor<64xi32>, %pairs: tensor<?xi32>, %table: tensor<500x512xf32>, %ids: tensor<?xi32>, %w: tensor<512x64xf32>,
                      %q: tensor<64x64xf32>, %queries: tensor<64xi32>) -> tensor<f32> {
  %rows = tower.take %pairs[%places] : (tensor<?xi32>, tensor<64xi32>) -> tensor<64xi32>
  %e = tower.lookup %table, %ids[%rows] : (tensor<500x512xf32>, tensor<?xi32>, tensor<64xi32>) -> tensor<64x512xf32>
  %x = tower.segment_linear(%e) weight(%w) : (tensor<64x512xf32>, tensor<512x64xf32>) -> tensor<64x64xf32>
  %loss, %lse = tower.in_batch_softmax %q, %x query_ids(%queries) temperature(1.0e-1)
    : (tensor<64x64xf32>, tensor<64x64xf32>, tensor<64xi32>) -> (tensor<f32>, tensor<64xf32>)
  return %loss : tensor<f32>
}

// WHY: remark: [Missed] tower.segment_linear {{.*}}rows drawn uniformly from the catalogue seldom repeat
// WHY: remark: [Missed] tower.segment_linear {{.*}}value dropout makes equal rows differ
// WHY: remark: [Missed] tower.segment_linear {{.*}}finding equal rows costs more than the encoder would save
// WHY: remark: [Missed] tower.segment_linear {{.*}}its rows are not those of pairs
// CHECK-LABEL: func.func @declined
// CHECK-NOT: tower.distinct
func.func @declined(%step: tensor<i64>, %seed: tensor<i64>, %items: tensor<i64>, %places: tensor<64xi32>, %pairs: tensor<?xi32>,
                    %table: tensor<500x64xf32>, %ids: tensor<?xi32>, %offsets: tensor<?xi64>, %w: tensor<64x64xf32>, %v: tensor<64x2xf32>)
    -> (tensor<64x64xf32>, tensor<64x64xf32>, tensor<64x2xf32>, tensor<64x64xf32>) {
  %uniform = tower.sample_uniform %step, %seed, %items stream("s") : tensor<64xi32>
  %a = tower.lookup %table, %ids[%uniform] : (tensor<500x64xf32>, tensor<?xi32>, tensor<64xi32>) -> tensor<64x64xf32>
  %y = tower.segment_linear(%a) weight(%w) : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %rows = tower.take %pairs[%places] : (tensor<?xi32>, tensor<64xi32>) -> tensor<64xi32>
  %b = tower.pooled_lookup %table, %offsets, %ids[%rows] mean longest(4) dropout(3.0e-1, "d", %step, %seed)
    : (tensor<500x64xf32>, tensor<?xi64>, tensor<?xi32>, tensor<64xi32>, tensor<i64>, tensor<i64>) -> tensor<64x64xf32>
  %z = tower.segment_linear(%b) weight(%w) : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %c = tower.lookup %table, %ids[%rows] : (tensor<500x64xf32>, tensor<?xi32>, tensor<64xi32>) -> tensor<64x64xf32>
  %s = tower.segment_linear(%c) weight(%v) : (tensor<64x64xf32>, tensor<64x2xf32>) -> tensor<64x2xf32>
  %d = tower.lookup %table, %ids[%places] : (tensor<500x64xf32>, tensor<?xi32>, tensor<64xi32>) -> tensor<64x64xf32>
  %t = tower.segment_linear(%d) weight(%w) : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  return %y, %z, %s, %t : tensor<64x64xf32>, tensor<64x64xf32>, tensor<64x2xf32>, tensor<64x64xf32>
}

// A layer that something is added to: its other addends would have all rows still.
// WHY: remark: [Missed] tower.segment_linear {{.*}}something is added to it that has all rows
// CHECK-LABEL: func.func @added
// CHECK-NOT: tower.distinct
func.func @added(%places: tensor<64xi32>, %pairs: tensor<?xi32>, %table: tensor<500x64xf32>, %ids: tensor<?xi32>,
                 %w: tensor<64x64xf32>, %x: tensor<64x64xf32>) -> tensor<64x64xf32> {
  %rows = tower.take %pairs[%places] : (tensor<?xi32>, tensor<64xi32>) -> tensor<64xi32>
  %a = tower.lookup %table, %ids[%rows] : (tensor<500x64xf32>, tensor<?xi32>, tensor<64xi32>) -> tensor<64x64xf32>
  %y = tower.segment_linear(%a) weight(%w) onto(%x) : (tensor<64x64xf32>, tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  return %y : tensor<64x64xf32>
}

// Rows of softmaxes come last, when all columns are known.
// WHY: remark: [Passed] tower.in_batch_softmax {{.*}}has the distinct queries as rows
// WHY: remark: [Missed] tower.in_batch_softmax {{.*}}its rows stay pairs, as its columns do
