[
  (policy) (lifeline) (posture) (reflex) (test) (if) (else) (feed) (derme) (decoy) (playbook) (phase) (parallel)
  (on_failure) (homeostasis) (invariant) (table) (refuses) (list) (record)
] @indent.begin

["}" "]" ")"] @indent.branch @indent.end
