-- What Airbyte needs in a Snowflake account to land the connector's streams, and no more.
-- Run once, as a user that has USERADMIN, SECURITYADMIN and SYSADMIN (ACCOUNTADMIN has all three).
-- It may run again: what exists stays. The names are those of deploy/airbyte_cloud/settings.yaml.
--
-- First put the public key of the pair in the place of PUBLIC_KEY, see docs/deployment.md.

USE ROLE USERADMIN;
CREATE ROLE IF NOT EXISTS POLYGON_LOADER COMMENT = 'Airbyte: lands market data';
CREATE ROLE IF NOT EXISTS POLYGON_READER COMMENT = 'Reads the views of POLYGON.MARKET';
CREATE USER IF NOT EXISTS POLYGON_AIRBYTE
    TYPE = SERVICE -- logs in with a key only
    DEFAULT_ROLE = POLYGON_LOADER
    DEFAULT_WAREHOUSE = POLYGON_LOADING
    COMMENT = 'Airbyte: lands market data';
ALTER USER POLYGON_AIRBYTE SET RSA_PUBLIC_KEY = 'PUBLIC_KEY';

USE ROLE SECURITYADMIN;
GRANT ROLE POLYGON_LOADER TO USER POLYGON_AIRBYTE;
-- So that SYSADMIN, who owns the views, reads the tables that the loader owns.
GRANT ROLE POLYGON_LOADER TO ROLE SYSADMIN;
GRANT ROLE POLYGON_READER TO ROLE SYSADMIN;

USE ROLE SYSADMIN;
CREATE WAREHOUSE IF NOT EXISTS POLYGON_LOADING
    WAREHOUSE_SIZE = XSMALL
    AUTO_SUSPEND = 60 -- seconds
    AUTO_RESUME = TRUE
    INITIALLY_SUSPENDED = TRUE
    COMMENT = 'Airbyte: its cost is that of loading';
CREATE DATABASE IF NOT EXISTS POLYGON;
CREATE SCHEMA IF NOT EXISTS POLYGON.LANDING;
CREATE SCHEMA IF NOT EXISTS POLYGON.MARKET;

-- Airbyte's page asks for OWNERSHIP of the database. Its destination (4.0 and newer) needs less: in
-- the landing schema it makes a file format, and for each table a stage; the tables it makes are
-- its own, to alter, swap and drop. CREATE SCHEMA is for AIRBYTE_INTERNAL, where it keeps tables
-- while a sync runs. It can neither read nor change what others put into this database.
GRANT USAGE ON WAREHOUSE POLYGON_LOADING TO ROLE POLYGON_LOADER;
GRANT USAGE ON DATABASE POLYGON TO ROLE POLYGON_LOADER;
GRANT CREATE SCHEMA ON DATABASE POLYGON TO ROLE POLYGON_LOADER;
GRANT USAGE ON SCHEMA POLYGON.LANDING TO ROLE POLYGON_LOADER;
GRANT CREATE TABLE ON SCHEMA POLYGON.LANDING TO ROLE POLYGON_LOADER;
GRANT CREATE STAGE ON SCHEMA POLYGON.LANDING TO ROLE POLYGON_LOADER;
GRANT CREATE FILE FORMAT ON SCHEMA POLYGON.LANDING TO ROLE POLYGON_LOADER;

-- Readers see the views alone, on a warehouse that you give them.
GRANT USAGE ON DATABASE POLYGON TO ROLE POLYGON_READER;
GRANT USAGE ON SCHEMA POLYGON.MARKET TO ROLE POLYGON_READER;
