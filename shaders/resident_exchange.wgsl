// How the workgroups of one dispatch hand values to one another. There is no barrier between
// workgroups, and what one stores the others need not see; atomics they see. So a value carries with
// it which round it is of: a word is an f32 rounded to 24 bits and, in its low byte, the round. Who
// wants a value reads until the round is right. A place is written once in every round, in order, and
// nobody begins a round before all have read what they wanted of the one before (they have made
// what it depends on), so that the byte tells neighbours apart.
// A region is made of vectors of four words. Lanes that read neighbouring vectors read neighbouring
// words, one of each vector at a time, so the first words of NEIGHBOURS vectors lie side by side.
@group(0) @binding(6) var<storage, read_write> exchange: array<atomic<u32>>;

/// Words of the exchange that are no values: whether someone has got stuck, and how many tokens each team has decoded.
const STUCK = 0u;
const TURNS = 1u;
/// Where the regions of this workgroup's team begin.
var<private> base: u32;

fn tagged(bits: u32, round: u32) -> u32 { return (bits << 8u) | (round & 0xffu); }

/// As the others will see a value.
fn rounded(value: f32) -> f32 { return bitcast<f32>((bitcast<u32>(value) + 0x80u) & 0xffffff00u); }

/// Where the first word of a region's vector lies.
fn place_of(region: u32, vector: u32) -> u32 {
  return base + region + vector / NEIGHBOURS * (NEIGHBOURS * 4u) + vector % NEIGHBOURS;
}

/// Publishes 24 bits as a word of a vector.
fn publish_bits(region: u32, vector: u32, word: u32, bits: u32, round: u32) {
  atomicStore(&exchange[place_of(region, vector) + word * NEIGHBOURS], tagged(bits, round));
}

/// Publishes a region's value.
fn publish(region: u32, index: u32, value: f32, round: u32) {
  publish_bits(region, index / 4u, index % 4u, bitcast<u32>(rounded(value)) >> 8u, round);
}

fn peek(region: u32, vector: u32) -> vec4u {
  let at = place_of(region, vector);
  return vec4u(
    atomicLoad(&exchange[at]),
    atomicLoad(&exchange[at + NEIGHBOURS]),
    atomicLoad(&exchange[at + 2u * NEIGHBOURS]),
    atomicLoad(&exchange[at + 3u * NEIGHBOURS]),
  );
}

fn is_of(words: vec4u, round: u32) -> bool {
  return all((words & vec4u(0xffu)) == vec4u(round & 0xffu));
}

/// A vector of a round, from what was read of it already. After plan.most_reads it gives up, as others
/// that it waits for do not run.
fn await_words(region: u32, vector: u32, round: u32, read_already: vec4u) -> vec4u {
  var words = read_already;
  for (var reads = 1u; !is_of(words, round) && reads <= plan.most_reads; reads++) {
    if (reads == plan.most_reads) { atomicStore(&exchange[STUCK], 1u); }
    if (reads % 64u == 0u && atomicLoad(&exchange[STUCK]) != 0u) { break; }
    words = peek(region, vector);
  }
  return words;
}

fn values_of(words: vec4u) -> vec4f { return bitcast<vec4f>(words & vec4u(0xffffff00u)); }

fn await_values(region: u32, vector: u32, round: u32, read_already: vec4u) -> vec4f {
  return values_of(await_words(region, vector, round, read_already));
}

fn wait(region: u32, vector: u32, round: u32) -> vec4f {
  return await_values(region, vector, round, peek(region, vector));
}
