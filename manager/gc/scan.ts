import { blobBucket, ingestBucket } from '../content/records.ts'
import { containerBucket } from '../metadata/container-store.ts'
import { imageBucket } from '../metadata/image-store.ts'
import type { Labels } from '../metadata/labels.ts'
import { leaseBucket, leaseResourceBucket } from '../metadata/lease-store.ts'
import type { ReadTransaction } from '../metadata/transaction.ts'
import type { CollectableSnapshot } from './collectable-snapshots.ts'
import { GraphBuilder, type NodeKey, type ReferenceGraph } from './graph.ts'
import {
  FLAT_LABEL,
  isExpired,
  labelReferences,
  ROOT_LABEL,
  type ResourceReference,
  type ResourceType,
} from './references.ts'

export interface ScanOptions {
  readonly snapshots: readonly CollectableSnapshot[]
  readonly timeNs: bigint
  /** An ingest somebody writes to right now is kept whatever its record says. */
  readonly hasWriter: (namespace: string, ref: string) => boolean
}

export function nodeKey(namespace: string, { type, id }: ResourceReference): NodeKey {
  return `${namespace}\0${type}\0${id}` as NodeKey
}

/** Reads who keeps whom from one consistent view. @see containerd-behaviour.md §d */
export function scanReferences(tx: ReadTransaction, options: ScanOptions): ReferenceGraph {
  const graph = new GraphBuilder()
  scanLeases(tx, graph, options.timeNs)
  scanImages(tx, graph, options.timeNs)
  scanContainers(tx, graph)
  scanContent(tx, graph, options)
  scanSnapshots(graph, options.snapshots)
  return graph
}

function scanLeases(tx: ReadTransaction, graph: GraphBuilder, timeNs: bigint): void {
  const flatLeases = new Set<NodeKey>()
  const liveLeases = new Set<NodeKey>()
  for (const { key, value } of tx.list(leaseBucket)) {
    const [namespace = '', id = ''] = key
    if (isExpired(value.labels, timeNs)) continue
    const lease = nodeKey(namespace, { type: 'lease', id })
    liveLeases.add(lease)
    graph.nodes.add(lease)
    graph.roots.add(lease)
    if (FLAT_LABEL in value.labels) flatLeases.add(lease)
    addLabels(graph, namespace, lease, value.labels)
  }
  for (const [namespace = '', leaseId = '', type = '', id = ''] of tx.keys(leaseResourceBucket)) {
    const lease = nodeKey(namespace, { type: 'lease', id: leaseId })
    const resource = leasedType(type)
    if (!liveLeases.has(lease) || resource === undefined) continue
    const node = nodeKey(namespace, { type: resource, id })
    if (flatLeases.has(lease)) graph.flatRoots.add(node)
    else graph.edge(lease, node)
  }
}

function leasedType(type: string): ResourceType | undefined {
  if (type === 'content') return 'content'
  if (type === 'ingests') return 'ingest'
  if (type === 'images') return 'image'
  return type.startsWith('snapshots/') ? `snapshot/${type.slice('snapshots/'.length)}` : undefined
}

function scanImages(tx: ReadTransaction, graph: GraphBuilder, timeNs: bigint): void {
  for (const { key, value } of tx.list(imageBucket)) {
    const [namespace = '', id = ''] = key
    const image = nodeKey(namespace, { type: 'image', id })
    graph.nodes.add(image)
    if (!isExpired(value.labels, timeNs)) graph.roots.add(image)
    graph.edge(image, nodeKey(namespace, { type: 'content', id: value.target.digest }))
    addLabels(graph, namespace, image, value.labels)
  }
}

function scanContainers(tx: ReadTransaction, graph: GraphBuilder): void {
  for (const { key, value } of tx.list(containerBucket)) {
    const [namespace = '', id = ''] = key
    const container = nodeKey(namespace, { type: 'container', id })
    graph.nodes.add(container)
    graph.roots.add(container)
    if (value.snapshotKey !== '') {
      const type: ResourceType = `snapshot/${value.snapshotter}`
      graph.edge(container, nodeKey(namespace, { type, id: value.snapshotKey }))
    }
    addLabels(graph, namespace, container, value.labels)
  }
}

function scanContent(
  tx: ReadTransaction,
  graph: GraphBuilder,
  { timeNs, hasWriter }: ScanOptions,
): void {
  for (const { key, value } of tx.list(blobBucket)) {
    const [namespace = '', id = ''] = key
    const blob = nodeKey(namespace, { type: 'content', id })
    graph.nodes.add(blob)
    if (ROOT_LABEL in value.labels) graph.roots.add(blob)
    addLabels(graph, namespace, blob, value.labels)
  }
  for (const { key, value } of tx.list(ingestBucket)) {
    const [namespace = '', id = ''] = key
    const ingest = nodeKey(namespace, { type: 'ingest', id })
    graph.nodes.add(ingest)
    const isUnexpired = value.expiresAtNs !== undefined && value.expiresAtNs > timeNs
    if (isUnexpired || hasWriter(namespace, id)) graph.roots.add(ingest)
    if (value.expected !== undefined) {
      // Structural: a flat lease on an ingest keeps what the ingest waits for, too.
      graph.structuralEdge(ingest, nodeKey(namespace, { type: 'content', id: value.expected }))
    }
  }
}

function scanSnapshots(graph: GraphBuilder, snapshots: readonly CollectableSnapshot[]): void {
  for (const { namespace, snapshotter, key, parent, labels } of snapshots) {
    const type: ResourceType = `snapshot/${snapshotter}`
    const snapshot = nodeKey(namespace, { type, id: key })
    graph.nodes.add(snapshot)
    if (ROOT_LABEL in labels) graph.roots.add(snapshot)
    if (parent !== undefined) {
      graph.structuralEdge(snapshot, nodeKey(namespace, { type, id: parent }))
    }
    addLabels(graph, namespace, snapshot, labels)
  }
}

function addLabels(graph: GraphBuilder, namespace: string, node: NodeKey, labels: Labels): void {
  const { keeps, keptBy } = labelReferences(labels)
  for (const target of keeps) graph.edge(node, nodeKey(namespace, target))
  for (const keeper of keptBy) graph.edge(nodeKey(namespace, keeper), node)
}
