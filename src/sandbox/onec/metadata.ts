import type { Column, Columns, EntityType } from './model.ts';
import { ENTITY_TYPES } from './types.ts';

const EDM: Readonly<Record<Column['type'], string>> = {
  string: 'Edm.String',
  int16: 'Edm.Int16',
  int32: 'Edm.Int32',
  int64: 'Edm.Int64',
  double: 'Edm.Double',
  bool: 'Edm.Boolean',
  date: 'Edm.DateTime',
  ref: 'Edm.Guid',
  any: 'Edm.String',
  types: 'StandardODATA.TypeDescription',
};

function property({ name, type }: Column): string {
  return `<Property Name="${name}" Type="${name === 'Ref_Key' ? 'Edm.Guid' : EDM[type]}" Nullable="true"/>`;
}

function properties(columns: Columns): string {
  return [...columns.values()].map(property).join('');
}

function keys(names: readonly string[]): string {
  return `<Key>${names.map((name) => `<PropertyRef Name="${name}"/>`).join('')}</Key>`;
}

function navigations({ columns, set }: EntityType): string {
  return [...columns.values()]
    .filter(({ type }) => type === 'ref')
    .map(({ name, to }) => {
      const bare = name.replace(/_Key$/, '');
      return `<NavigationProperty Name="${bare}" Relationship="StandardODATA.${set}_${bare}" ToRole="End" FromRole="Begin" To="${to}"/>`;
    })
    .join('');
}

function entityType(type: EntityType): string {
  const tables = [...type.tables.keys()];
  const collections = tables.map(
    (table) =>
      `<Property Name="${table}" Type="Collection(StandardODATA.${type.set}_${table}_RowType)" Nullable="true"/>`,
  );
  const own = `<EntityType Name="${type.set}">${keys(type.key)}${properties(type.columns)}${collections.join('')}${navigations(type)}</EntityType>`;
  const rows = tables.map((table) => {
    const columns = `<Property Name="Ref_Key" Type="Edm.Guid" Nullable="true"/>${properties(type.tables.get(table) ?? new Map())}`;
    return `<EntityType Name="${type.set}_${table}">${keys(['Ref_Key', 'LineNumber'])}${columns}</EntityType><ComplexType Name="${type.set}_${table}_RowType">${columns}</ComplexType>`;
  });
  return own + rows.join('');
}

function functions({ set, kind, key }: EntityType): string {
  const bound = `<Parameter Name="bindingParameter" Type="StandardODATA.${set}"/>`;
  const open = (name: string) => `<FunctionImport Name="${name}" IsBindable="true" m:HttpMethod="POST">${bound}`;
  if (kind === 'document') {
    return `${open('Post')}<Parameter Name="PostingModeOperational" Type="Edm.Boolean"/></FunctionImport>${open('Unpost')}</FunctionImport>`;
  }
  if (key[0] !== 'Period') return '';
  return `<FunctionImport Name="SliceLast" EntitySet="${set}" IsBindable="true">${bound}<Parameter Name="Period" Type="Edm.DateTime"/><Parameter Name="Condition" Type="Edm.String"/></FunctionImport>`;
}

/** Every set's name, table parts' own sets among them. */
export function setNames(): string[] {
  return [...ENTITY_TYPES.values()].flatMap(({ set, tables }) => [
    set,
    ...[...tables.keys()].map((table) => `${set}_${table}`),
  ]);
}

/** `$metadata`: the configuration as EDMX, table parts as row types of their own. */
export function metadataXml(): string {
  const types = [...ENTITY_TYPES.values()];
  const sets = setNames().map((set) => `<EntitySet Name="${set}" EntityType="StandardODATA.${set}"/>`);
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<edmx:Edmx Version="1.0" xmlns:edmx="http://schemas.microsoft.com/ado/2007/06/edmx">',
    '<edmx:DataServices m:DataServiceVersion="3.0" m:MaxDataServiceVersion="3.0" xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata">',
    '<Schema Namespace="StandardODATA" xmlns="http://schemas.microsoft.com/ado/2009/11/edm">',
    ...types.map(entityType),
    '<ComplexType Name="TypeDescription"><Property Name="Types" Type="Collection(Edm.String)" Nullable="false"/></ComplexType>',
    '<EntityContainer Name="EnterpriseV8" m:IsDefaultEntityContainer="true">',
    ...sets,
    ...types.map(functions),
    '</EntityContainer></Schema></edmx:DataServices></edmx:Edmx>',
  ].join('\n');
}
