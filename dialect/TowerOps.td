// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// All ops of the dialect, in the order of a model's life.

include "dialect/TowerModelOps.td"
include "dialect/TowerDataOps.td"
include "dialect/TowerLayerOps.td"
include "dialect/TowerLossOps.td"
include "dialect/TowerGradientOps.td"
include "dialect/TowerOptimizerOps.td"
