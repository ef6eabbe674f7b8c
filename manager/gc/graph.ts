/**
 * What keeps what. A node is kept `full` when its own references count, or `flat` when it is kept without
 * them; a flat node still passes flatness on along `flatEdges` (a snapshot to its parent).
 */
export interface ReferenceGraph {
  /** What is there. A label may name anything: what is not there keeps nothing. */
  readonly nodes: ReadonlySet<NodeKey>
  readonly roots: ReadonlySet<NodeKey>
  readonly flatRoots: ReadonlySet<NodeKey>
  readonly edges: ReadonlyMap<NodeKey, readonly NodeKey[]>
  readonly flatEdges: ReadonlyMap<NodeKey, readonly NodeKey[]>
}

export type NodeKey = string & { readonly __brand: 'NodeKey' }

/** Everything that must be kept. */
export function reachable(graph: ReferenceGraph): ReadonlySet<NodeKey> {
  const full = closure(graph.nodes, graph.roots, graph.edges)
  const flat = closure(graph.nodes, graph.flatRoots, graph.flatEdges)
  return new Set([...full, ...flat])
}

function closure(
  nodes: ReadonlySet<NodeKey>,
  roots: ReadonlySet<NodeKey>,
  edges: ReadonlyMap<NodeKey, readonly NodeKey[]>,
): ReadonlySet<NodeKey> {
  const black = new Set<NodeKey>()
  const grey: NodeKey[] = []
  const reach = (node: NodeKey): void => {
    if (black.has(node) || !nodes.has(node)) return
    black.add(node)
    grey.push(node)
  }
  for (const root of roots) reach(root)
  for (let node = grey.pop(); node !== undefined; node = grey.pop()) {
    for (const next of edges.get(node) ?? []) reach(next)
  }
  return black
}

/** Builds a graph edge by edge. */
export class GraphBuilder {
  readonly nodes = new Set<NodeKey>()
  readonly roots = new Set<NodeKey>()
  readonly flatRoots = new Set<NodeKey>()
  readonly edges = new Map<NodeKey, NodeKey[]>()
  readonly flatEdges = new Map<NodeKey, NodeKey[]>()

  edge(from: NodeKey, to: NodeKey): void {
    append(this.edges, from, to)
  }

  /** An edge that flat nodes have too. */
  structuralEdge(from: NodeKey, to: NodeKey): void {
    append(this.edges, from, to)
    append(this.flatEdges, from, to)
  }
}

function append(edges: Map<NodeKey, NodeKey[]>, from: NodeKey, to: NodeKey): void {
  const targets = edges.get(from)
  if (targets === undefined) edges.set(from, [to])
  else targets.push(to)
}
