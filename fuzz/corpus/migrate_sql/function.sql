CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
  -- $$ not the end; $body
  RETURN NEW;
END;
$body$;
SELECT $1, $$a;b$$;