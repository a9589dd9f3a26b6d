SELECT E'it\'s\\', 'a'
  'b', U&'\00e5', U&"d\0061t", N'x', B'01', X'ff', e'x'
-- c
'y\''; SELECT "a""b;";