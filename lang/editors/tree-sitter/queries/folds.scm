[
  (policy) (lifeline) (posture) (reflex) (test) (if) (feed) (derme) (decoy) (playbook) (phase) (parallel)
  (on_failure) (homeostasis) (invariant) (table) (refuses) (list) (record)
] @fold
