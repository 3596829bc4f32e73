// The step becomes that of a pass for the tokens that argmax.wgsl has chosen for every row.
@group(0) @binding(0) var<storage, read_write> step: Step;

@compute @workgroup_size(1)
fn main() {
  step.start = end_position();
  step.logit_row = 0u;
}
