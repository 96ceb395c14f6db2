; Parameters belong to their playbook; everything else is known in the whole file.
(playbook) @local.scope

(param name: (name) @local.definition.parameter)
(parameter name: (name) @local.definition.parameter)
(zone name: (name) @local.definition.constant)
(net name: (name) @local.definition.constant)
(service name: (name) @local.definition.constant)
(limit_declaration name: (name) @local.definition.constant)
(feed name: (name) @local.definition.constant)
(posture name: (name) @local.definition.type)
(playbook name: (name) @local.definition.function)
(name) @local.reference
