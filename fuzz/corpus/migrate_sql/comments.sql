/* a /* nested ; */ */ SELECT 1 /**/ ; -- end; not
;;SELECT 1--2
+3;