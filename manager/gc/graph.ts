/**
 * What keeps what. A node is kept `full` when its own references count, or `flat` when it is kept without
 * them; a flat node still passes flatness on along `flatEdges` (a snapshot to its parent).
 */
export interface ReferenceGraph {
  readonly roots: ReadonlySet<NodeKey>
  readonly flatRoots: ReadonlySet<NodeKey>
  readonly edges: ReadonlyMap<NodeKey, readonly NodeKey[]>
  readonly flatEdges: ReadonlyMap<NodeKey, readonly NodeKey[]>
}

export type NodeKey = string & { readonly __brand: 'NodeKey' }

/** Everything that must be kept. An edge may lead to what is not there. */
export function reachable(graph: ReferenceGraph): ReadonlySet<NodeKey> {
  const full = closure(graph.roots, graph.edges)
  const flat = closure(graph.flatRoots, graph.flatEdges)
  return new Set([...full, ...flat])
}

function closure(
  roots: ReadonlySet<NodeKey>,
  edges: ReadonlyMap<NodeKey, readonly NodeKey[]>,
): ReadonlySet<NodeKey> {
  const black = new Set<NodeKey>(roots)
  const grey = [...roots]
  for (let node = grey.pop(); node !== undefined; node = grey.pop()) {
    for (const next of edges.get(node) ?? []) {
      if (black.has(next)) continue
      black.add(next)
      grey.push(next)
    }
  }
  return black
}

/** Builds a graph edge by edge. */
export class GraphBuilder {
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
