/** What a container uses, as the message clients of its cgroup version expect. */
import type { Any } from '../../proto/generated/google/protobuf/any.ts'
import { cgroupPathsOf } from './cgroup-paths.ts'

/**
 * Loaded when somebody asks for the first time: most shims are never asked.
 *
 * @throws notFound when the container has no process any more
 */
export async function readTaskMetrics(initPid: number): Promise<Any> {
  const paths = cgroupPathsOf(initPid)
  if (paths.version === 2) {
    const { readMetricsV2 } = await import('./metrics-v2.ts')
    return { typeUrl: 'io.containerd.cgroups.v2.Metrics', value: readMetricsV2(paths.directory) }
  }
  const { readMetricsV1 } = await import('./metrics-v1.ts')
  return { typeUrl: 'io.containerd.cgroups.v1.Metrics', value: readMetricsV1(paths.directories) }
}
