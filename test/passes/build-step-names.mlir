// RUN: tower-opt %s --tower-build-step | FileCheck %s

// A model may be called as one of the functions that are made of it.
// CHECK: tower.model @score
// CHECK: func.func @train_step
// A row-wise accumulator is read and replaced.
// CHECK: %{{.*}}, %[[NEW:.*]] = tower.rowwise_adagrad_rows
// CHECK: tower.sgd
// CHECK: return {{.*}}%[[NEW]]
// CHECK: func.func @score

tower.model @score {
  tower.table @section rows(59) dim(16) init(normal 0.05)
  tower.entity @package {
    tower.single_feature @section table(@section) column("section")
  }
  tower.encoder @item entity(@package) features([@section]) output(raw) {
    tower.layer 16 identity init(glorot)
  }
  tower.in_batch_softmax_loss @main query(@item) item(@item) temperature(0.1) weight(1.0)
  tower.training batch(64) tables(rowwise_adagrad, {rate = 0.05 : f32, initial = 0.1 : f32, epsilon = 1.0e-10 : f32}) dense(sgd, {rate = 0.05 : f32, weight_decay = 0.0 : f32})
}
