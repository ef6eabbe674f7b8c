import { PlatformError } from '../../../proto/errors/platform-error.ts'
import type {
  IntrospectionDefinition,
  Plugin,
  PluginInfoRequest,
  PluginInfoResponse,
  PluginsRequest,
  PluginsResponse,
  ServerResponse,
} from '../../../proto/generated/containerd/services/introspection/v1/introspection.ts'
import { presentString, type FieldLookup } from '../../filters/adaptor.ts'
import { parseFilters } from '../../filters/filter.ts'
import type { ServiceHandlers } from '../../grpc/service-definition.ts'
import { platformOfHost } from './platform.ts'
import type { PluginEntry } from './plugins.ts'
import type { ServerIdentity } from './server-identity.ts'

export class IntrospectionService implements ServiceHandlers<typeof IntrospectionDefinition> {
  readonly #plugins: readonly PluginEntry[]
  readonly #identity: ServerIdentity

  constructor(plugins: readonly PluginEntry[], identity: ServerIdentity) {
    this.#plugins = plugins
    this.#identity = identity
  }

  plugins({ filters }: PluginsRequest): Promise<PluginsResponse> {
    const accepts = parseFilters(filters)
    const selected = this.#plugins.filter((plugin) => accepts(pluginField(plugin)))
    return Promise.resolve({ plugins: selected.map(pluginToProto) })
  }

  server(): Promise<ServerResponse> {
    const { uuid, pid, pidNamespace } = this.#identity
    return Promise.resolve({ uuid, pid: BigInt(pid), pidns: pidNamespace, deprecations: [] })
  }

  pluginInfo({ type, id }: PluginInfoRequest): Promise<PluginInfoResponse> {
    const plugin = this.#plugins.find((known) => known.type === type && known.id === id)
    if (plugin === undefined) {
      const failure = new PlatformError('notFound', {
        action: 'find plugin',
        subject: `${type}.${id}`,
      })
      return Promise.reject(failure)
    }
    return Promise.resolve({ plugin: pluginToProto(plugin), extra: undefined })
  }
}

function pluginField({ type, id }: PluginEntry): FieldLookup {
  return (path) => {
    if (path.length !== 1) return undefined
    if (path[0] === 'type') return presentString(type)
    return path[0] === 'id' ? presentString(id) : undefined
  }
}

function pluginToProto(plugin: PluginEntry): Plugin {
  const { type, id, requires, hasPlatform, capabilities, exports } = plugin
  return {
    type,
    id,
    requires: [...requires],
    platforms: hasPlatform ? [platformOfHost()] : [],
    exports: { ...exports },
    capabilities: [...capabilities],
    initErr: undefined,
  }
}
