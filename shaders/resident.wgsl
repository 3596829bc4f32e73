// A token of each of a few sequences through the whole model in one dispatch: embedding, layers, head and choice
// of the next tokens (lckv.md section 2). Every dispatch that waits for the one before costs a GPU some
// microseconds, five of them a layer more than the arithmetic. Here the GROUPS workgroups of each of TEAMS teams stay for
// all of it and hand values to one another (resident_exchange.wgsl), which needs all of them to run at
// the same time: more than a device takes at once get stuck, and that is noticed.
// A model whose weights no single binding can hold takes a dispatch for the layers of each of its buffers.
// step, sequence: see step.wgsl; rotation: f32 [positions][HEAD_DIM / 2] of (cos, sin); cache: f32, keys
// and values of every layer that has some, [slots][KV_WIDTH] each; logits: f32 [sequences][STRIDE], of the last tokens.
@group(0) @binding(2) var<storage, read_write> sequence: array<Token>;
@group(0) @binding(3) var<storage, read_write> step: Step;
@group(0) @binding(4) var<storage, read> rotation: array<vec2f>;
@group(0) @binding(5) var<storage, read_write> cache: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> logits: array<f32>;
@group(0) @binding(8) var<uniform> plan: Plan;

/// Where a matrix begins: its first block of 8 columns (x), and its first scale (y).
alias Place = vec2u;

struct Layer {
  qkv: Place,
  output: Place,
  gated: Place,
  down: Place,
  /// First words of the norms' weights.
  input_norm: u32,
  mlp_norm: u32,
  /// Where the keys and values that the layer reads begin, in vectors of four.
  keys: u32,
  values: u32,
  /// Which of the layers with keys and values of their own it reads.
  source: u32,
  /// 1: it computes those itself.
  computes: u32,
  /// 1: it does not see the current position.
  strict: u32,
  /// Positions that it sees at most; 0: all.
  window: u32,
}

struct Plan {
  embedding: Place,
  head: Place,
  head_norm: u32,
  /// Of a value that is not there yet, before a workgroup gives up.
  most_reads: u32,
  /// The layers of this dispatch: [first_layer, end_layer).
  first_layer: u32,
  end_layer: u32,
  layers: array<Layer, LAYERS>,
}

const HALF = HEAD_DIM / 2u;
const HEAD4 = HEAD_DIM / 4u;
const KV_WIDTH = KV_HEADS * HEAD_DIM;
const WIDTH4 = WIDTH / 4u;
/// Lanes that serve the same row wherever rows are served apart.
const ROW_LANES = LANES / ROWS;

/// Which team of workgroups this one is of, and which of that team's; teams serve ROWS sequences each, side by side.
var<private> team: u32;
var<private> group: u32;
var<private> lanes: u32;
/// Neighbours are neighbours in a subgroup.
var<private> lane: u32;
/// Sequences of this team, and its first one.
var<private> count: u32;
var<private> first_row: u32;
/// The one of these that this lane serves, and which of its lanes it is.
var<private> row: u32;
var<private> row_lane: u32;
/// `step` as it was in the beginning.
var<private> now: Step;
/// Tokens that were decoded so far, from 1 on: it tells one token's values from the next one's.
var<private> turn: u32;

/// What a product multiplies: [ROWS][COLUMNS], in each row the even vectors of four, then the odd ones, so that
/// neighbouring lanes read neighbouring vectors. Between products other things lie there.
var<workgroup> x: array<vec4f, X_VECTORS>;

struct Control { step: Step, turn: u32 }
var<workgroup> control: Control;

fn x_at(row: u32, vector: u32) -> u32 {
  return row * (COLUMNS / 4u) + vector % 2u * (COLUMNS / 8u) + vector / 2u;
}

/// The factor of RMSNorm, from the sums of squares that the subgroups of this lane's row brought; after a barrier.
fn norm_scale() -> f32 {
  let first = row * (ROW_LANES / lanes);
  var sum = 0.0;
  for (var s = 0u; s < ROW_LANES / lanes; s++) { sum += meeting[first + s]; }
  return inverseSqrt(sum / f32(WIDTH) + EPS);
}

/// The part of a number of pairs of rows of a matrix that is this workgroup's.
struct Share { first: u32, count: u32 }

fn share_of(pairs: u32) -> Share {
  let each = (pairs + GROUPS - 1u) / GROUPS;
  let first = min(group * each, pairs);
  return Share(first, min(each, pairs - first));
}

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(local_invocation_index) index: u32,
  @builtin(subgroup_id) subgroup_id: u32,
  @builtin(num_subgroups) subgroups: u32,
  @builtin(subgroup_size) subgroup_size: u32,
  @builtin(subgroup_invocation_id) invocation: u32,
) {
  let my_team = workgroup.x / GROUPS;
  let my_group = workgroup.x % GROUPS;
  team = my_team;
  group = my_group;
  first_row = my_team * ROWS;
  base = FIRST_WORD + my_team * WORDS;
  my_subgroup = subgroup_id;
  subgroup_count = subgroups;
  lanes = subgroup_size;
  subgroup_lane = invocation;
  lane = my_subgroup * lanes + invocation;
  row = lane / ROW_LANES;
  row_lane = lane % ROW_LANES;
  if (index == 0u) { control = Control(step, atomicLoad(&exchange[TURNS + team])); }
  let loaded = workgroupUniformLoad(&control);
  now = loaded.step;
  let sequences = clamp(loaded.step.count, my_team * ROWS, (my_team + 1u) * ROWS) - my_team * ROWS;
  count = sequences;
  turn = loaded.turn + 1u;
  begin_residual(plan.first_layer);
  for (var layer = plan.first_layer; layer < plan.end_layer; layer++) {
    multiply_qkv(layer);
    attend(layer, my_group, sequences, loaded.step.start);
    multiply_output(layer);
    multiply_gated(layer);
    multiply_down(layer);
  }
  if (plan.end_layer < LAYERS) { return; }
  multiply_head(LAYERS);
  choose(my_group);
}
