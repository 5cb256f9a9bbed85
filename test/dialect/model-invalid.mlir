// RUN: tower-opt %s --split-input-file --verify-diagnostics

// Parts of different kinds may share a name; two of one kind may not.
tower.model @m {
  tower.table @item rows(8) dim(4) init(zero)
  tower.entity @item {
    tower.single_feature @item table(@item) column("item")
  }
  tower.encoder @item entity(@item) features([@item]) output(raw) {
    tower.layer 4 identity init(glorot)
  }
  // expected-note @below {{the first is here}}
  tower.in_batch_softmax_loss @item query(@item) item(@item) temperature(0.1) weight(1.0)
  // expected-error @below {{is the second loss @item}}
  tower.spread_out_loss @item encoder(@item) items(batch, 4) weight(1.0)
  tower.training batch(4) tables(sgd, {rate = 0.1 : f32}) dense(sgd, {rate = 0.1 : f32})
}

// -----

tower.model @m {
  tower.entity @item {
    // expected-error @below {{refers to table @item, which is not in the model}}
    tower.single_feature @item table(@item) column("item")
  }
  tower.training batch(4) tables(sgd, {rate = 0.1 : f32}) dense(sgd, {rate = 0.1 : f32})
}

// -----

tower.model @m {
  tower.entity @item {}
  // expected-error @below {{refers to feature @price, which entity @item does not have}}
  tower.encoder @item entity(@item) features([@price]) output(raw) {
    tower.layer 4 identity init(glorot)
  }
  tower.training batch(4) tables(sgd, {rate = 0.1 : f32}) dense(sgd, {rate = 0.1 : f32})
}

// -----

tower.model @m {
  // expected-error @below {{refers to encoder @user, which is not in the model}}
  tower.spread_out_loss @s encoder(@user) items(batch, 4) weight(1.0)
  tower.training batch(4) tables(sgd, {rate = 0.1 : f32}) dense(sgd, {rate = 0.1 : f32})
}

// -----

// expected-error @below {{needs exactly one tower.training}}
tower.model @m {}
