-- holm:no-transaction
CREATE DATABASE x;