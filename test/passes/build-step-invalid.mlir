// RUN: tower-opt %s --split-input-file --tower-build-step --verify-diagnostics

// expected-error @below {{needs exactly one tower.model}}
module {}

// -----

// expected-error @below {{needs an in-batch softmax loss: it defines the towers of queries and items}}
tower.model @no_main_loss {
  tower.training batch(64) tables(sgd, {rate = 0.1 : f32}) dense(sgd, {rate = 0.1 : f32})
}
